"""Action Genome's official layout field by field, on files that the tests write."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.annotations import Clip, Entity, Relation
from model.datasets.action_genome import CANONICAL, CLASSES, ActionGenome, class_of, read_action_genome
from model.vocabulary import ACTION_GENOME_OBJECTS, MODERATION_V1
from tests.model.datasets.genome_files import GenomeFiles, person, thing

VIDEO = "001YG.mp4"
TABLE_XYWH = (240.0, 135.0, 120.0, 67.5)
PERSON_XYXY = (48.0, 27.0, 240.0, 270.0)


def _files(**instead: object) -> GenomeFiles:
    files = GenomeFiles()
    table = thing("table", TABLE_XYWH, VIDEO, 89, **instead)
    files.add(VIDEO, 89, person(PERSON_XYXY, (0.0, 0.0, 9.0, 9.0)), table, thing("cup/glass/bottle", None, VIDEO, 89))
    return files


def _read(files: GenomeFiles, folder: Path, min_side: float = 0.0) -> ActionGenome:
    return read_action_genome(files.write(folder), dict.fromkeys([VIDEO, "ZZZZZ.mp4"], 24.0), min_side)


def test_a_frame_is_read_field_by_field(tmp_path: Path) -> None:
    files = _files(
        attention_relationship=["looking_at"],
        spatial_relationship=["beneath", "on_the_side_of"],
        contacting_relationship=["touching", "leaning_on"],
    )
    whole = _read(files, tmp_path)
    (clip,) = whole.train
    assert whole.test == ()
    assert (clip.name, clip.video, clip.width, clip.height) == ("001YG", VIDEO, 480, 270)
    (frame,) = clip.frames
    assert (frame.index, frame.time_s) == (88, round(88 / 24, 4))
    table = CLASSES.index("table")
    assert frame.entities == (Entity(0, "person", (0.1, 0.1, 0.5, 1.0)), Entity(table, "dining table", (0.5, 0.5, 0.75, 0.75)))
    assert frame.relations == (
        Relation(0, "looking_at", table), Relation(table, "beneath", 0), Relation(table, "on_the_side_of", 0),
        Relation(0, "touching", table), Relation(0, "leaning_on", table),
    )  # fmt: skip


def test_every_class_has_one_word_that_leads_back_to_it() -> None:
    assert set(CANONICAL) == set(ACTION_GENOME_OBJECTS)
    assert set(CANONICAL.values()) <= set(MODERATION_V1.objects)
    assert [class_of(word) for word in CANONICAL.values()] == list(CANONICAL)
    assert (class_of("bottle"), class_of("suitcase"), class_of("car")) == ("cup/glass/bottle", "bag", None)


def test_frames_without_a_person_or_a_visible_thing_are_left_out_and_counted(tmp_path: Path) -> None:
    files = _files()
    files.add(VIDEO, 95, person(), thing("table", TABLE_XYWH, VIDEO, 95))
    files.add(VIDEO, 100, person(PERSON_XYXY), thing("table", None, VIDEO, 100))
    files.add("ZZZZZ.mp4", 1, person(), thing("table", TABLE_XYWH, "ZZZZZ.mp4", 1))
    whole = _read(files, tmp_path)
    assert [[frame.index for frame in clip.frames] for clip in whole.train] == [[88]]
    assert (whole.left_out.frames_without_person, whole.left_out.frames_without_thing) == (2, 1)


def test_videos_go_to_the_split_that_their_frames_name(tmp_path: Path) -> None:
    files = _files()
    files.add("ZZZZZ.mp4", 3, person(PERSON_XYXY), thing("bed", TABLE_XYWH, "ZZZZZ.mp4", 3, metadata={"tag": "", "set": "test"}))
    whole = _read(files, tmp_path)
    assert ([clip.name for clip in whole.train], [clip.name for clip in whole.test]) == (["001YG"], ["ZZZZZ"])


def test_boxes_are_cut_at_the_pictures_edge_and_small_ones_go_only_on_request(tmp_path: Path) -> None:
    files = GenomeFiles()
    over = thing("bed", (432.0, -27.0, 96.0, 54.0), VIDEO, 1)
    small, outside = thing("book", (10.0, 10.0, 40.0, 16.0), VIDEO, 1), thing("door", (600.0, 0.0, 5.0, 5.0), VIDEO, 1)
    files.add(VIDEO, 1, person(PERSON_XYXY), over, small, outside)

    def labels(clip: Clip) -> list[str]:
        return [entity.label for entity in clip.frames[0].entities]

    whole, strict = _read(files, tmp_path), _read(files, tmp_path, min_side=16.0)
    assert whole.train[0].frames[0].entities[1].box == (0.9, 0.0, 1.0, 0.1)
    assert (labels(whole.train[0]), labels(strict.train[0])) == (["person", "bed", "book"], ["person", "bed"])
    assert (whole.left_out.boxes_outside, whole.left_out.boxes_small, strict.left_out.boxes_small) == (1, 0, 1)


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ({"bbox": None}, r"thing 0: visible, yet bbox is None, expected \(x, y, w, h\)"),
        ({"bbox": (1.0, 2.0, 3.0)}, r"visible, yet bbox is \(1.0, 2.0, 3.0\)"),
        ({"bbox": (1.0, 2.0, float("nan"), 4.0)}, r"visible, yet bbox is"),
        ({"class": "dragon"}, r"class is 'dragon', expected one of Action Genome's 35 things"),
        ({"class": "person"}, r"class is 'person'"),
        ({"attention_relationship": ["staring"]}, r"attention_relationship is \['staring'\], expected a list of looking_at"),
        ({"spatial_relationship": None}, r"spatial_relationship is None"),
        ({"contacting_relationship": []}, r"contacting_relationship is \[\]"),
        ({"spatial_relationship": ["holding"]}, r"spatial_relationship is \['holding'\]"),
        ({"metadata": {"tag": "x", "set": "val"}}, r"metadata set is 'val', expected train or test"),
        ({"metadata": None}, r"a NoneType, expected a dict with 'set'"),
        ({"visible": 1}, r"visible is 1, expected True or False"),
    ],
)
def test_a_field_that_does_not_fit_is_said_with_file_and_key(tmp_path: Path, instead: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=rf"object_bbox_and_relationship\.pkl, 001YG\.mp4/000089\.png.*{said}"):
        _read(_files(**instead), tmp_path)


def _no_size(files: GenomeFiles) -> None:
    del files.people[f"{VIDEO}/000089.png"]["bbox_size"]


def _other_mode(files: GenomeFiles) -> None:
    files.people[f"{VIDEO}/000089.png"]["bbox_mode"] = "xywh"


def _flat_boxes(files: GenomeFiles) -> None:
    files.people[f"{VIDEO}/000089.png"]["bbox"] = np.zeros(8, np.float32)


def _no_key(files: GenomeFiles) -> None:
    files.people.clear()


def _torn_row(files: GenomeFiles) -> None:
    files.people[f"{VIDEO}/000089.png"]["bbox"] = np.full((1, 4), np.nan, np.float32)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_no_size, "expected a dict with 'bbox_size'"),
        (_other_mode, "bbox_mode is 'xywh', expected 'xyxy'"),
        (_flat_boxes, r"bbox is an array of shape \(8,\), expected an array \(n, 4\)"),
        (_no_key, r"has no '001YG.mp4/000089.png', which frame_list.txt names"),
        (_torn_row, "bbox row 0 is .* expected finite pixels"),
    ],
)
def test_people_that_do_not_fit_are_said_with_file_and_key(tmp_path: Path, spoil: Callable[[GenomeFiles], None], said: str) -> None:
    files = _files()
    spoil(files)
    with pytest.raises(ValueError, match=rf"person_bbox\.pkl.*{said}"):
        _read(files, tmp_path)


def test_a_class_twice_in_a_frame_and_a_video_in_both_splits_are_refused(tmp_path: Path) -> None:
    files = _files()
    files.things[f"{VIDEO}/000089.png"].append(thing("table", (1.0, 1.0, 50.0, 50.0), VIDEO, 89))
    with pytest.raises(ValueError, match="a second 'table' in one frame"):
        _read(files, tmp_path)
    files = _files()
    files.add(VIDEO, 90, person(PERSON_XYXY), thing("table", TABLE_XYWH, VIDEO, 90, metadata={"tag": "", "set": "test"}))
    with pytest.raises(ValueError, match=r"001YG.mp4 has frames of \['test', 'train'\]"):
        _read(files, tmp_path)


@pytest.mark.parametrize("line", ["001YG/000089.png", "001YG.mp4/frame.png", "001YG.mp4/000000.png", "../x", "001YG.mp4/000089.jpg"])
def test_a_frame_list_that_names_no_frame_is_said_with_its_line(tmp_path: Path, line: str) -> None:
    folder = _files().write(tmp_path)
    (folder / "frame_list.txt").write_text(f"{VIDEO}/000089.png\n{line}\n")
    with pytest.raises(ValueError, match=r"frame_list.txt, line 2: .* expected VIDEO.mp4/000089.png"):
        read_action_genome(folder, {VIDEO: 24.0})
