"""The mini subsets: which videos, and how they are cut."""

from hashlib import sha1

import pytest

from model.annotations import FORMAT, Clip, Frame
from model.datasets.mini import cut, first_by_hash


def _clip(name: str, count: int) -> Clip:
    return Clip(FORMAT, name, f"{name}.mp4", 480, 270, tuple(Frame(index, index / 24, (), ()) for index in range(count)))


def test_the_first_videos_by_hash_are_taken_whatever_order_they_come_in() -> None:
    clips = [_clip(name, 12) for name in ("AAAAA", "BBBBB", "CCCCC", "DDDDD")]
    expected = sorted((clip.name for clip in clips), key=lambda name: sha1(name.encode()).hexdigest())[:2]
    assert [clip.name for clip in first_by_hash(clips, 2)] == expected
    assert first_by_hash(clips[::-1], 2) == first_by_hash(clips, 2)


def test_short_videos_and_those_that_are_not_listed_are_not_taken() -> None:
    clips = [_clip("AAAAA", 9), _clip("BBBBB", 10), _clip("CCCCC", 10)]
    assert {clip.name for clip in first_by_hash(clips, 9)} == {"BBBBB", "CCCCC"}
    assert [clip.name for clip in first_by_hash(clips, 9, among={"AAAAA", "CCCCC"})] == ["CCCCC"]


@pytest.mark.parametrize(("count", "lengths"), [(10, [10]), (20, [20]), (21, [10, 11]), (45, [15, 15, 15]), (61, [15, 15, 15, 16])])
def test_a_video_is_cut_into_parts_of_ten_to_twenty_frames_in_order(count: int, lengths: list[int]) -> None:
    parts = cut(_clip("AAAAA", count))
    assert [len(part.frames) for part in parts] == lengths
    assert [frame.index for part in parts for frame in part.frames] == list(range(count))
    assert len({part.name for part in parts}) == len(parts)
