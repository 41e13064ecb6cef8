import dataclasses
from typing import Any

import msgspec
import numpy as np
import pytest

from engines.fake import OBJECTS
from service.pipeline.merge import Merges, MergesState, class_groups
from service.pipeline.types import Tracked
from service.types import NodeMerge
from tests.service.pipeline.worlds import FPS, box, tracked

HERE, NEARLY_HERE, FAR = box(0.5, 0.5, 0.3, 0.6), box(0.51, 0.5, 0.3, 0.6), box(0.9, 0.5, 0.1, 0.2)
ONE_LOOK, OTHER_LOOK = 1, 2


def two(media_s: float, second: tuple[float, float, float, float], label: str = "person", look: int = ONE_LOOK) -> Tracked:
    return tracked(media_s, [(1, "person", HERE, ONE_LOOK), (2, label, second, look)])


def run(merges: Merges, seconds: float, **changes: Any) -> list[tuple[float, NodeMerge]]:
    frames = [two(index / FPS, **changes) for index in range(round(seconds * FPS))]
    return [(frame.media_s, merge) for frame in frames for merge in merges.update(frame)]


def test_two_tracks_on_one_thing_become_the_older_one() -> None:
    found = run(Merges(OBJECTS), 1.0, second=NEARLY_HERE)
    assert found[0][1] == NodeMerge(kept=1, merged=2)
    assert 4 / FPS < found[0][0] < 0.6


def test_five_frames_are_needed_even_at_two_frames_a_second() -> None:
    merges = Merges(OBJECTS)
    found = [frame for frame in range(8) if merges.update(two(frame / 2, NEARLY_HERE))]
    assert found[0] == 4


def test_places_apart_looks_apart_or_classes_apart_are_two_things() -> None:
    assert not run(Merges(OBJECTS), 2.0, second=FAR)
    assert not run(Merges(OBJECTS), 2.0, second=NEARLY_HERE, look=OTHER_LOOK)
    assert not run(Merges(OBJECTS), 2.0, second=NEARLY_HERE, label="dog")


def test_classes_that_action_genome_holds_for_one_are_one_group() -> None:
    groups = dict(zip(OBJECTS, class_groups(OBJECTS).tolist(), strict=True))
    assert groups["cup"] == groups["wine glass"] == groups["bottle"]
    assert groups["dog"] not in {groups["cat"], groups["person"], groups["cup"]}


def test_two_that_were_seen_apart_within_two_seconds_are_not_merged() -> None:
    merges = Merges(OBJECTS)
    merges.update(two(0.0, FAR))
    found = [index / FPS for index in range(1, 75) if merges.update(two(index / FPS, NEARLY_HERE))]
    assert 2.0 < found[0] < 2.2


def test_one_that_takes_a_lost_ones_place_within_a_second_is_that_one() -> None:
    def reborn(gap_s: float) -> Tracked:
        return dataclasses.replace(
            two(2.0 + gap_s, NEARLY_HERE),
            rows_T=np.array([-1, 0]),
            first_seen_T=np.array([0.0, 2.0 + gap_s - 0.1]),
            last_seen_T=np.array([2.0, 2.0 + gap_s]),
        )

    assert Merges(OBJECTS).update(reborn(0.9)) == (NodeMerge(kept=1, merged=2),)
    assert Merges(OBJECTS).update(reborn(1.5)) == ()


@pytest.mark.parametrize(
    ("apart_first", "expected"), [(False, [NodeMerge(kept=1, merged=2)]), (True, [])], ids=["never apart", "once apart"]
)
def test_one_that_stays_where_an_older_one_ends_is_that_one_unless_once_apart(apart_first: bool, expected: list[NodeMerge]) -> None:
    merges, part = Merges(OBJECTS), box(0.35, 0.5, 0.2, 0.5)
    merges.update(two(0.0, FAR if apart_first else part))
    found: list[NodeMerge] = []
    for index in range(1, 75):
        media_s = index / FPS
        if media_s <= 2.5:
            found += merges.update(two(media_s, part))
            continue
        gone = dataclasses.replace(two(media_s, NEARLY_HERE), rows_T=np.array([-1, 0]), last_seen_T=np.array([2.5, media_s]))
        found += merges.update(gone)
        if found:
            break
    assert found == expected


def test_three_on_one_thing_all_become_the_oldest() -> None:
    merges = Merges(OBJECTS)
    rows = [(7, "person", HERE, ONE_LOOK), (9, "person", NEARLY_HERE, ONE_LOOK), (12, "person", HERE, ONE_LOOK)]
    found = next(found for index in range(30) if (found := merges.update(tracked(index / FPS, rows))))
    assert found == (NodeMerge(kept=7, merged=9), NodeMerge(kept=7, merged=12))


def test_a_restored_merger_decides_at_the_same_frame() -> None:
    whole, first = Merges(OBJECTS), Merges(OBJECTS)
    frames = [two(0.0, FAR)] + [two(index / FPS, NEARLY_HERE) for index in range(1, 75)]
    for frame in frames[:20]:
        first.update(frame)
    second = Merges(OBJECTS)
    second.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()), type=MergesState))
    expected = [bool(whole.update(frame)) for frame in frames][20:]
    assert [bool(second.update(frame)) for frame in frames[20:]] == expected
    assert any(expected)
