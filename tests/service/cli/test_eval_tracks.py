import json
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from engines.fake import FakeEngine
from engines.protocol import SceneGraph
from model.annotations import Clip, Entity, Frame, Relation
from model.evaluation.frames import OBJECT_INDEX, PREDICATE_INDEX
from model.evaluation.over_time import Moment
from service.cli import main
from service.cli.eval_tracks_clips import Look, Source, WatchedClip, true_moment, watch
from service.cli.eval_tracks_measure import STRICTNESS, SetReport, Variant, measure, num_passes
from service.cli.eval_tracks_variants import ASSOCIATIONS, FILTERS, SHIPPED, follow, publish, stricter
from service.pipeline.relations import Relations
from service.policy.rules import PolicySet
from service.shard.analysis import StreamAnalysis
from service.types import Frame as Picture
from tests.service.pipeline.worlds import box, scene

CLIPS = Path(__file__).parents[2] / "model" / "synth" / "clips"
FPS, FRAMES = 10, 20
ENGINE = FakeEngine(num_streams=1, max_pixels=64 * 64)
PERSON, CUP = box(0.4, 0.5, 0.3, 0.8), box(0.5, 0.5, 0.1, 0.1)
Box = tuple[float, float, float, float]


def watched(scenes: list[SceneGraph], truth: list[Moment]) -> WatchedClip:
    looks = tuple(Look(index / FPS, one) for index, one in enumerate(scenes))
    return WatchedClip("made", looks, tuple(range(len(scenes))), tuple(truth))


def moment(frame: int, things: list[tuple[int, str, Box]], edges: list[tuple[int, str, int]] | None = None) -> Moment:
    return Moment(
        frame / FPS,
        np.array([thing[2] for thing in things]),
        np.array([OBJECT_INDEX[thing[1]] for thing in things]),
        np.array([thing[0] for thing in things]),
        np.array([(a, PREDICATE_INDEX[name], b) for a, name, b in edges or []], np.int64).reshape(-1, 3),
    )


def row(report: SetReport, identities_by: str = SHIPPED, relations_by: str = SHIPPED) -> Variant:
    (found,) = [one for one in report.variants if (one.identities_by, one.relations_by) == (identities_by, relations_by)]
    return found


def wavering() -> WatchedClip:
    """A person holds a cup all along; the network says .9 in even frames and .3 in odd ones, its threshold is .5."""
    things = [("person", 0.9, PERSON), ("cup", 0.8, CUP)]
    scenes = [scene(things, [(0, "holding", 1, 0.3 if index % 2 else 0.9)]) for index in range(FRAMES)]
    true = [moment(index, [(7, "person", PERSON), (8, "cup", CUP)], [(7, "holding", 8)]) for index in range(FRAMES)]
    return watched(scenes, true)


def doubled() -> WatchedClip:
    """One person, detected twice in every frame."""
    nearly = box(0.41, 0.5, 0.3, 0.8)
    scenes = [scene([("person", 0.9, PERSON), ("person", 0.8, nearly)])] * FRAMES
    return watched(scenes, [moment(index, [(7, "person", PERSON)]) for index in range(FRAMES)])


def swapping() -> WatchedClip:
    """Two people who look unlike stand half before one another, and in frame 10 have changed places."""
    left, right = box(0.45, 0.5, 0.2, 0.8), box(0.55, 0.5, 0.2, 0.8)
    scenes, truth = [], []
    for index in range(FRAMES):
        first, second = (left, right) if index < 10 else (right, left)
        scenes.append(scene([("person", 0.9, first), ("person", 0.8, second)], looks=[1, 2]))
        truth.append(moment(index, [(7, "person", first), (8, "person", second)]))
    return watched(scenes, truth)


def test_a_raw_threshold_publishes_every_crossing_an_average_and_the_filter_publish_one() -> None:
    """Things carry relations from half a second on (frame 5); raw: on in frames 6, 8 .. 18, off in 7 .. 19, so 14 changes for 1 true one.

    The average over .3 s lies between .55 and .65 then: on from frame 5.
    """
    report = measure("made", [wavering()], ENGINE.spec)
    raw, mean = row(report, relations_by="raw threshold").edges, row(report, relations_by="exponential average").edges
    assert (raw.true_changes, raw.published_changes, raw.flicker) == (1, 14, 14.0)
    assert (raw.found, raw.spells) == (1, 1)
    assert raw.delay_median_s == pytest.approx(0.6)
    assert (mean.published_changes, mean.found) == (1, 1)
    assert mean.delay_median_s == pytest.approx(0.5)
    assert row(report).edges.published_changes == 1
    assert row(report, relations_by="raw threshold").covered == pytest.approx(7 / 20)
    assert row(report, relations_by="exponential average").covered == pytest.approx(15 / 20)
    assert row(report, relations_by="raw threshold").edge_changes_per_minute == pytest.approx(14 / (1.9 / 60))
    assert row(report).delta_bytes_per_s < row(report, relations_by="raw threshold").delta_bytes_per_s


def test_without_merging_a_second_identity_on_the_same_person_stays() -> None:
    """Both are shown from frame 2 on; five frames on top of each other merge them in frame 6: 4 of 22 are double, else 18 of 36."""
    report = measure("made", [doubled()], ENGINE.spec)
    merged, unmerged = row(report).identities, row(report, "no merging").identities
    assert (merged.true, merged.tracked, unmerged.tracked) == (20, 22, 36)
    assert row(report).merges > row(report, "no merging").merges == 0
    assert merged.duplicate_rate == pytest.approx(4 / 22)
    assert unmerged.duplicate_rate == pytest.approx(18 / 36)
    assert merged.idf1 == pytest.approx(2 * 18 / (20 + 22))
    assert unmerged.idf1 == pytest.approx(2 * 18 / (20 + 36))


def test_without_looks_two_people_who_change_places_change_identities() -> None:
    report = measure("made", [swapping()], ENGINE.spec)
    assert row(report).identities.switches == 0
    assert row(report, "no looks").identities.switches == 2


@pytest.mark.parametrize("clip", [wavering(), doubled(), swapping()])
def test_as_shipped_publishes_what_the_service_publishes(clip: WatchedClip) -> None:
    analysis = StreamAnalysis(ENGINE.spec, "clip", PolicySet(text=""))
    said = list(publish(follow(clip.looks, ENGINE.spec, ASSOCIATIONS[0]), Relations(ENGINE.spec)))
    image_HW3 = np.zeros((64, 64, 3), np.uint8)
    for seq, (look, one) in enumerate(zip(clip.looks, said, strict=True)):
        step = analysis.step(Picture("clip", seq, None, look.media_s, 0.0, image_HW3, (64, 64), (64, 64)), look.scene, 0.0)
        assert (step.snapshot.nodes, step.snapshot.edges) == (one.graph.nodes, one.graph.edges)
        assert len(msgspec.json.encode(step.delta)) == one.delta_bytes


def test_every_filter_has_a_curve_that_passes_through_its_row() -> None:
    report = measure("made", [wavering()], ENGINE.spec)
    assert len(report.curves) == len(FILTERS) * len(STRICTNESS)
    for relation_filter in FILTERS:
        (at_zero,) = [point.edges for point in report.curves if (point.relations_by, point.log_odds) == (relation_filter.name, 0.0)]
        assert at_zero == row(report, relations_by=relation_filter.name).edges
    moved = stricter(ENGINE.spec, 2.0).predicates[PREDICATE_INDEX["holding"]]
    assert moved.threshold == pytest.approx(1 / (1 + np.exp(-2.0)))


def test_the_bar_reaches_its_end() -> None:
    ticks: list[int] = []
    measure("made", [wavering()], ENGINE.spec, lambda: ticks.append(1))
    assert len(ticks) == num_passes()


def test_a_truth_tells_only_of_what_is_published() -> None:
    entities = (Entity(3, "person", PERSON), Entity(5, "cup", CUP))
    frame = Frame(0, 0.0, entities, (Relation(3, "holding", 5), Relation(3, "looking_at", 5), Relation(5, "above", 3)))
    assert true_moment(frame, frozenset({"holding", "above"})).edges_E3.tolist() == [
        [3, PREDICATE_INDEX["holding"], 5],
        [5, PREDICATE_INDEX["above"], 3],
    ]
    assert true_moment(frame, frozenset()).edges_E3.shape == (0, 3)


def labelled(folder: Path, frames: list[int]) -> Source:
    """A second of grey video at 25 a second, with a person labelled in some frames."""
    path = folder / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _ in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((180, 320, 3), 128, np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    true = tuple(Frame(index, index / 25, (Entity(1, "person", PERSON),), ()) for index in frames)
    return Source(Clip("vigil-clip-1", "grey", path.name, 320, 180, true), path)


def test_key_frames_are_watched_beside_those_that_the_rate_allows_up_to_the_last_one(tmp_path: Path) -> None:
    engine = FakeEngine(num_streams=1, max_pixels=448 * 256)
    clip = watch(engine, labelled(tmp_path, [3, 12]), 5.0)
    assert [round(look.media_s * 25) for look in clip.looks] == [0, 3, 5, 10, 12]
    assert clip.judged == (1, 4)
    assert [true.time_s for true in clip.truth] == [0.12, 0.48]


def test_a_video_that_ends_before_its_labels_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"grey\.mp4 has 1 of the 2 frames that are labelled in grey"):
        watch(FakeEngine(num_streams=1, max_pixels=448 * 256), labelled(tmp_path, [3, 30]), None)


def test_the_command_prints_and_writes_every_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval-tracks", "--data", str(CLIPS), "--engine", "fake", "--limit", "1", "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.glob("tracks-*.json")
    (one,) = json.loads(path.read_text())["sets"]
    assert (one["name"], one["clips"]) == ("synth-home-test", 1)
    assert one["looks"] == one["judged"] > 0
    assert len(one["variants"]) == len(ASSOCIATIONS) + len(FILTERS) - 1
    assert path.with_suffix(".png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("no merging", "no looks", "one pace for all", "exponential average", "raw threshold"))


def test_nothing_to_watch_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval-tracks"]) == 2
    assert "give --data" in capsys.readouterr().err
    assert main(["eval-tracks", "--data", "x", "--limit", "0"]) == 2
