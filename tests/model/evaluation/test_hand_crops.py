"""Crops around hands by hand: where squares lie, how finds come back, what is merged, what is counted. No clip and no trained network."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from model.annotations import Body, Entity, Frame, Hand, Relation
from model.commands import hand_crops as command
from model.commands.fit_filter import DEFAULT_FOLDER
from model.evaluation.frames import OBJECT_INDEX, Float, class_groups, truth_of
from model.evaluation.hand_crop_report import Watched, kinds_of, lines, measure
from model.evaluation.hand_crops import NOTHING, Finds, Glance, cut, hand_squares, look_at_hands, merge, on_picture, squares
from model.nano import Nano
from model.text import Prototypes
from service.cli import main

CUP, BOTTLE, BOOK, PERSON = (OBJECT_INDEX[name] for name in ("cup", "bottle", "book", "person"))
SIZE = (640, 360)
Row = tuple[int, float, tuple[float, float, float, float]]


def finds(*rows: Row) -> Finds:
    """Rows of class, score and box."""
    return Finds(
        np.array([row[2] for row in rows]).reshape(-1, 4), np.array([row[0] for row in rows], int), np.array([row[1] for row in rows])
    )


def boxes(*rows: tuple[float, float, float, float]) -> Float:
    return np.array(rows, np.float64)


@pytest.mark.parametrize(
    ("palm", "person", "square"),
    [
        ((0.5, 0.5), (0.4, 0.0, 0.6, 1.0), (230, 90, 410, 270)),
        ((0.5, 0.5), (0.45, 0.4, 0.5, 0.6), (272, 132, 368, 228)),
        ((0.0, 1.0), (0.0, 0.8, 0.1, 1.0), (0, 264, 96, 360)),
        ((0.5, 0.5), (0.0, 0.0, 1.0, 1.0), (160, 20, 480, 340)),
    ],
    ids=["half of 360 px", "96 px at least", "moved inside the picture", "half of the width where that is longer"],
)
def test_a_square_is_as_large_as_the_person_says(
    palm: tuple[float, float], person: tuple[float, float, float, float], square: tuple[int, int, int, int]
) -> None:
    assert squares(np.array([palm]), boxes(person), 0.5, SIZE).tolist() == [list(square)]


def test_a_square_is_never_larger_than_the_picture() -> None:
    assert squares(np.array([[0.5, 0.5]]), boxes((0.0, 0.0, 1.0, 1.0)), 1.0, SIZE).tolist() == [[140, 0, 500, 360]]


def test_only_seen_palms_of_the_surest_people_get_squares() -> None:
    """Finds: person, cup, person, person too unsure; of the first only the left palm is seen, of the third both."""
    person_box = (0.4, 0.4, 0.5, 0.6)
    seen = Glance(
        finds((PERSON, 0.9, person_box), (CUP, 0.8, person_box), (PERSON, 0.5, person_box), (PERSON, 0.1, person_box)),
        np.full((4, 2, 2), 0.5),
        np.array([[0.9, 0.1], [0.9, 0.9], [0.6, 0.5], [0.9, 0.9]]),
    )
    assert [len(hand_squares(seen, people, 0.5, SIZE)) for people in (1, 2, 3)] == [1, 3, 3]


def test_a_find_comes_back_to_where_its_crop_was_cut() -> None:
    """The crop is 128 px wide from (320, 90): a quarter of it is 32 px."""
    found = finds((CUP, 0.7, (0.25, 0.5, 0.5, 0.75)))
    back = on_picture(found, np.array([[320, 90, 448, 218]]), SIZE)
    assert back.boxes_N4 == pytest.approx(boxes((352 / 640, 154 / 360, 384 / 640, 186 / 360)))
    assert (back.classes_N.tolist(), back.scores_N.tolist()) == ([CUP], [0.7])


def test_people_and_what_the_edge_of_a_crop_cuts_are_left_out() -> None:
    found = finds((PERSON, 0.9, (0.2, 0.2, 0.6, 0.6)), (CUP, 0.7, (0.0, 0.5, 0.5, 0.75)), (BOOK, 0.6, (0.5, 0.5, 0.995, 0.75)))
    assert len(on_picture(found, np.array([[320, 90, 448, 218]] * 3), SIZE).scores_N) == 0


def test_an_edge_that_is_the_pictures_own_cuts_nothing() -> None:
    found = finds((CUP, 0.7, (0.0, 0.5, 0.5, 1.0)), (BOOK, 0.6, (0.0, 0.0, 0.5, 0.5)))
    assert on_picture(found, np.array([[0, 232, 128, 360]] * 2), SIZE).classes_N.tolist() == [CUP]


def test_a_crop_shows_its_square_and_nothing_else() -> None:
    picture_HW3 = np.zeros((360, 640, 3), np.uint8)
    picture_HW3[100:200, 300:400] = 200
    crop_SS3 = cut(picture_HW3, np.array([300, 100, 400, 200]), 192)
    assert (crop_SS3.shape, int(crop_SS3.min()), int(crop_SS3.max())) == ((192, 192, 3), 200, 200)


def test_no_square_is_no_work(shipped: tuple[Nano, Prototypes]) -> None:
    assert look_at_hands(shipped[0], np.zeros((360, 640, 3), np.uint8), np.zeros((0, 4), np.int64), 192) is NOTHING


def test_finds_of_all_crops_lie_inside_their_squares(shipped: tuple[Nano, Prototypes]) -> None:
    picture_HW3 = np.random.default_rng(3).integers(0, 255, (360, 640, 3), np.uint8)
    found = look_at_hands(shipped[0], picture_HW3, np.array([[100, 100, 228, 228], [100, 100, 228, 228]]), 64)
    pixels_N4 = found.boxes_N4 * np.tile(SIZE, 2)
    assert len(found.scores_N) % 2 == 0
    assert ((pixels_N4 > 100) & (pixels_N4 < 228)).all()


NEAR = (0.1, 0.1, 0.2, 0.2)
NEARLY_NEAR = (0.1, 0.1, 0.2, 0.18)
"""IoU .8 with the one before."""
ELSEWHERE = (0.6, 0.6, 0.7, 0.7)


@pytest.mark.parametrize(
    ("more", "left"),
    [
        ((CUP, 0.5, NEARLY_NEAR), [(CUP, 0.6)]),
        ((CUP, 0.6, NEARLY_NEAR), [(CUP, 0.6)]),
        ((CUP, 0.7, NEARLY_NEAR), [(CUP, 0.7)]),
        ((BOTTLE, 0.7, NEARLY_NEAR), [(BOTTLE, 0.7)]),
        ((BOOK, 0.5, NEARLY_NEAR), [(CUP, 0.6), (BOOK, 0.5)]),
        ((CUP, 0.5, ELSEWHERE), [(CUP, 0.6), (CUP, 0.5)]),
    ],
    ids=["weaker", "tied", "surer", "of the same group", "of another class", "elsewhere"],
)
def test_of_two_that_overlap_the_surer_stays(more: Row, left: list[tuple[int, float]]) -> None:
    both = merge(finds((CUP, 0.6, NEAR)), finds(more), class_groups())
    assert list(zip(both.classes_N.tolist(), both.scores_N.tolist(), strict=True)) == left


def test_finds_of_the_first_pass_leave_each_other_alone_and_those_of_two_crops_do_not() -> None:
    twice = finds((CUP, 0.6, NEAR), (CUP, 0.5, NEARLY_NEAR))
    assert len(merge(twice, NOTHING, class_groups()).scores_N) == 2
    assert merge(NOTHING, twice, class_groups()).scores_N.tolist() == [0.6]


def frame() -> Frame:
    """On 640x360 a person with one seen palm at (320, 180), so a square of 180 px from (230, 90), with the cup, touching the floor."""
    body = Body("standing", (0.5, 0.1), True, True, (0.0, 0.0, -1.0), Hand((0.5, 0.5), True, 2), Hand((0.1, 0.5), False))
    entities = (
        Entity(1, "person", (0.4, 0.0, 0.6, 1.0), body=body),
        Entity(2, "cup", (0.5, 0.5, 0.525, 0.55)),
        Entity(3, "book", (0.1, 0.5, 0.125, 0.55)),
        Entity(4, "floor", (0.0, 0.4, 1.0, 1.0)),
        Entity(5, "bottle", (0.35, 0.5, 0.375, 0.55)),
        Entity(6, "box", (0.4, 0.3, 0.6, 0.6)),
    )
    return Frame(
        0, 0.0, entities, (Relation(1, "holding", 2), Relation(1, "touching", 4), Relation(1, "touching", 6), Relation(3, "behind", 1))
    )


def test_kinds_of_things_are_told_by_size_reach_and_relation() -> None:
    """On a canvas of 448 x 252 the cup is small, the box (90 x 76) below COCO's large, the floor above; the bottle begins at 224 px."""
    kinds_N3 = kinds_of(frame(), truth_of(frame()), 0.5, SIZE, (448.0, 252.0))
    assert kinds_N3.astype(int).tolist() == [[0, 0, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0]]


def watched(clip: str, *ways: Finds) -> Watched:
    truth = truth_of(frame())
    kinds_N3 = kinds_of(frame(), truth, 0.5, SIZE, (448.0, 252.0))
    return Watched(clip, truth, kinds_N3, ways, (0, 2), (40.0, 10.0 if clip == "a" else 30.0))


def test_recall_false_finds_classes_and_cost_are_counted() -> None:
    """Clip a: crops find the cup at .5, and a bottle that is none; clip b: the first pass finds the cup at .3, crops at .45."""
    cup, wrong = (0.5, 0.5, 0.525, 0.545), (0.8, 0.8, 0.9, 0.9)
    one = watched("a", NOTHING, finds((CUP, 0.5, cup), (BOTTLE, 0.41, wrong)))
    two = watched("b", finds((CUP, 0.3, cup)), finds((CUP, 0.45, cup)))
    report = measure("made", ("no crops", "1 person"), [one, two, two], class_groups())
    assert (report.clips, report.frames) == (2, 3)
    found = {(row.kind, row.score, row.way): (row.found, row.true, row.gain.value) for row in report.recall}
    assert found["small, near a hand", 0.4, "no crops"] == (0, 3, 0.0)
    assert found["small, near a hand", 0.4, "1 person"] == (3, 3, 1.0)
    assert found["small, near a hand", 0.2, "no crops"] == (2, 3, 0.0)
    assert found["small, near a hand", 0.2, "1 person"] == (3, 3, 1.0 - 2 / 3)
    assert found["held or touched", 0.4, "1 person"] == (3, 6, 0.5)
    false = {(row.score, row.way): (row.a_frame.value, row.added.value) for row in report.false_finds}
    assert false == {key: (0.0, 0.0) if key[1] == "no crops" else (pytest.approx(1 / 3),) * 2 for key in false}
    classes = {(row.kind, row.score, row.name): (row.true, row.found) for row in report.classes}
    assert classes["small, near a hand", 0.2, "cup"] == (3, [2, 3])
    assert classes["false finds", 0.4, "bottle"] == (0, [0, 1])
    assert [(row.crops_a_frame, row.cpu_ms) for row in report.cost] == [(0.0, 40.0), (2.0, pytest.approx(70 / 3, abs=0.01))]
    assert report.cost[1].of_first_pass == pytest.approx(70 / 120, abs=0.001)
    assert any("small, near a hand" in line and "100.0" in line for line in lines(report))


def test_no_frame_to_judge_is_said() -> None:
    with pytest.raises(ValueError, match="made has no frame"):
        measure("made", ("no crops",), [], class_groups())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give --data"),
        (["--data", "x", "--side", "100"], "multiple of 32"),
        (["--data", "x", "--reach", "0"], "--reach"),
        (["--data", "x", "--people", "1", "0"], "--people"),
        (["--data", "x", "--every", "0"], "--every"),
        (["--data", "x", "--checkpoint", "no-such-folder"], "no-such-folder"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hand-crops", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_checkpoint_that_does_not_know_hands_is_refused(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    folder = DEFAULT_FOLDER.parent / "nano-v0"
    with pytest.raises(ValueError, match="no image heads"):
        command.run(parser.parse_args(["--checkpoint", str(folder), "--data", str(tmp_path)]))
