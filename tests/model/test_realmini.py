"""RealMini's labels keep their promises and meet the pixels they were made on; the labelling page saves only what reads back."""

import hashlib
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from model.annotations import FORMAT, Clip, Entity, Frame, Relation, read_clip, write_clip_annotation
from model.commands.data_label import print_counts
from model.realmini.counts import count
from model.realmini.editor import Labels, serve
from model.realmini.reader import load_realmini, realmini_frames, video_of
from model.vocabulary import ATTENTION, CONTACTING, SPATIAL

CLIPS = Path(__file__).parents[2] / "../shared/clips"
GREYS = (20, 120, 220)


@pytest.fixture(scope="module")
def realmini() -> tuple[Clip, ...]:
    return load_realmini()


def grey_video(folder: Path) -> str:
    """Three frames of even grey; its sha256."""
    path = folder / "grey.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        for grey in GREYS:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), grey, np.uint8), "rgb24")))
        container.mux(stream.encode())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def grey_clip(sha256: str, indices: tuple[int, ...] = (0, 2)) -> Clip:
    person, cup = Entity(1, "person", (0.1, 0.1, 0.5, 0.9)), Entity(2, "cup", (0.4, 0.4, 0.6, 0.6))
    frames = tuple(Frame(index, index / 5, (person, cup), (Relation(1, "holding", 2),)) for index in indices)
    return Clip(FORMAT, "grey", "grey.mkv", 32, 32, frames, sha256, "a test")


def test_all_sixteen_clips_are_there_with_source_licence_and_checksum(realmini: tuple[Clip, ...]) -> None:
    assert len(realmini) == 16
    assert 64 <= sum(len(clip.frames) for clip in realmini) <= 90
    assert all(clip.source.startswith("https://github.com/") and clip.licence and len(clip.sha256) == 64 for clip in realmini)


def test_every_pair_of_a_person_and_a_thing_says_where_it_looks_where_it_is_and_what_it_touches(realmini: tuple[Clip, ...]) -> None:
    for clip in realmini:
        assert clip.complete
        for frame in clip.frames:
            people = [one.id for one in frame.entities if one.label == "person"]
            things = [one.id for one in frame.entities if one.label != "person"]
            for person, thing in ((person, thing) for person in people for thing in things):
                said = [one.predicate for one in frame.relations if {one.subject, one.object} == {person, thing}]
                where = f"{clip.name} {frame.index}: {person}, {thing}: {said}"
                assert sum(name in ATTENTION for name in said) == 1, where
                assert any(name in SPATIAL for name in said), where
                assert any(name in CONTACTING for name in said), where
                assert "not_contacting" not in said or sum(name in CONTACTING for name in said) == 1, where
                assert len(said) == len(set(said)), where


def test_relations_run_from_person_to_thing_and_spatial_ones_back(realmini: tuple[Clip, ...]) -> None:
    for frame in (frame for clip in realmini for frame in clip.frames):
        labels = {one.id: one.label for one in frame.entities}
        for one in frame.relations:
            person, thing = (one.object, one.subject) if one.predicate in SPATIAL else (one.subject, one.object)
            assert labels[person] == "person"
            assert labels[thing] != "person"


def test_an_identity_keeps_its_label_over_its_clip(realmini: tuple[Clip, ...]) -> None:
    for clip in realmini:
        seen: dict[int, str] = {}
        for entity in (entity for frame in clip.frames for entity in frame.entities):
            assert seen.setdefault(entity.id, entity.label) == entity.label, f"{clip.name}: {entity.id}"


def test_hands_touch_what_the_relations_say_and_gaze_has_unit_length(realmini: tuple[Clip, ...]) -> None:
    for clip in realmini:
        for frame in clip.frames:
            touched = {
                (one.subject, one.object) for one in frame.relations if one.predicate in CONTACTING and one.predicate != "not_contacting"
            }
            for person in (one for one in frame.entities if one.body is not None):
                assert person.body is not None
                assert np.linalg.norm(person.body.gaze) == pytest.approx(1, abs=2e-3)
                for hand in (person.body.left, person.body.right):
                    assert hand.touches is None or (person.id, hand.touches) in touched, f"{clip.name} {frame.index}: {person.id}"


def test_a_hand_that_touches_a_thing_is_at_that_thing(realmini: tuple[Clip, ...]) -> None:
    for clip in realmini:
        for frame in clip.frames:
            boxes = {one.id: np.array(one.box).reshape(2, 2) for one in frame.entities}
            bodies = [one.body for one in frame.entities if one.body is not None]
            for hand in (hand for body in bodies for hand in (body.left, body.right) if hand.seen):
                if hand.touches is None:
                    continue
                low, high = boxes[hand.touches]
                outside = np.maximum(np.maximum(low - hand.point, hand.point - high), 0)
                assert outside.max() < 0.15, f"{clip.name} {frame.index}: {hand}"


def test_key_frames_lie_in_the_middle_of_equal_parts(realmini: tuple[Clip, ...]) -> None:
    for clip in realmini:
        indices = np.array([frame.index for frame in clip.frames])
        steps = np.diff(indices)
        assert steps.min() > 0
        assert steps.max() - steps.min() <= 1, clip.name
        assert abs(indices[0] - steps.mean() / 2) <= 1, clip.name


def test_counts_add_up_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = count([grey_clip("0" * 64), grey_clip("0" * 64, (1,))])
    assert (found.num_clips, found.num_frames, found.num_people, found.num_identities, found.num_pairs) == (2, 3, 3, 4, 3)
    assert (dict(found.things), dict(found.relations)) == ({"cup": 3}, {"holding": 3})
    write_clip_annotation(tmp_path / "grey.json", grey_clip("0" * 64))
    print_counts(tmp_path)
    assert "1 clips, 2 key frames, 2 people seen" in capsys.readouterr().out


def test_labels_meet_the_frames_they_were_made_on(tmp_path: Path) -> None:
    pairs = list(realmini_frames(tmp_path, [grey_clip(grey_video(tmp_path))]))
    assert [pair.frame.index for pair in pairs] == [0, 2]
    assert [int(pair.image_HW3.mean()) for pair in pairs] == [GREYS[0], GREYS[2]]


def test_an_absent_or_different_or_shorter_video_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"grey.mkv is absent: grey was labelled on grey.mkv from a test"):
        list(realmini_frames(tmp_path, [grey_clip("0" * 64)]))
    right = grey_video(tmp_path)
    with pytest.raises(ValueError, match="is not the video that was labelled"):
        list(realmini_frames(tmp_path, [grey_clip("0" * 64)]))
    with pytest.raises(ValueError, match=r"has no frames \[7\]"):
        list(realmini_frames(tmp_path, [grey_clip(right, (1, 7))]))


def test_the_labels_are_of_the_real_clips(realmini: tuple[Clip, ...]) -> None:
    if not CLIPS.is_dir():
        pytest.skip("the real clips are not beside this checkout")
    for clip in realmini:
        video_of(clip, CLIPS)
    short = next(clip for clip in realmini if clip.name == "intel-signing-eat")
    for pair in realmini_frames(CLIPS, [short]):
        assert pair.image_HW3.shape == (short.height, short.width, 3)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[tuple[HTTPConnection, Path]]:
    """The labelling page of one made clip, and its annotation."""
    write_clip_annotation(tmp_path / "grey.json", grey_clip(grey_video(tmp_path)))
    with serve(Labels(tmp_path, tmp_path), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        connection = HTTPConnection("127.0.0.1", int(server.server_port), timeout=5)
        yield connection, tmp_path / "grey.json"
        connection.close()
        server.shutdown()
        thread.join()


def ask(connection: HTTPConnection, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_page_shows_words_labels_and_key_frames_and_nothing_else(page: tuple[HTTPConnection, Path]) -> None:
    connection, path = page
    assert ask(connection, "GET", "/")[1].startswith(b"<!doctype html>")
    assert b'"clips": ["grey"]' in ask(connection, "GET", "/words")[1]
    assert msgspec.json.decode(ask(connection, "GET", "/clip/grey")[1], type=Clip) == read_clip(path)
    assert ask(connection, "GET", "/image/grey/2")[1].startswith(b"\xff\xd8")
    for unknown in ("/image/grey/1", "/clip/other", "/clip/..%2Fgrey", "/grey.json"):
        assert ask(connection, "GET", unknown)[0] == 404


def test_the_page_saves_what_reads_back_and_keeps_the_old_labels_otherwise(page: tuple[HTTPConnection, Path]) -> None:
    connection, path = page
    old = read_clip(path)
    moved = replace(old, frames=old.frames[:1])
    assert ask(connection, "PUT", "/clip/grey", msgspec.json.encode(moved), Content_Type="application/json")[0] == 200
    assert read_clip(path) == moved
    wrong = replace(old.frames[0], relations=(Relation(1, "holding", 9),))
    for bad, said in (
        (b"{", b"not a clip annotation"),
        (msgspec.json.encode(replace(old, frames=(wrong,))), b"an entity that the frame does not list"),
        (msgspec.json.encode(replace(old, video="other.mkv")), b"cannot be saved"),
    ):
        status, body = ask(connection, "PUT", "/clip/grey", bad, Content_Type="application/json")
        assert (status, said in body) == (400, True), body
        connection.close()
    assert read_clip(path) == moved
    assert sorted(one.name for one in path.parent.iterdir()) == ["grey.json", "grey.mkv"]


def test_other_pages_in_the_browser_cannot_save(page: tuple[HTTPConnection, Path]) -> None:
    connection, path = page
    old = path.read_bytes()
    for headers in ({"Content_Type": "text/plain"}, {"Content_Type": "application/json", "Host": "evil.example:80"}):
        status, _ = ask(connection, "PUT", "/clip/grey", b"{}", **headers)
        assert status == 403
        connection.close()
    assert path.read_bytes() == old


def test_a_clip_that_is_not_labelled_is_named_with_those_that_are(tmp_path: Path) -> None:
    write_clip_annotation(tmp_path / "grey.json", grey_clip(grey_video(tmp_path)))
    with pytest.raises(ValueError, match=r"no clip 'gray' in .*, it has grey"):
        Labels(tmp_path, tmp_path, "gray")
