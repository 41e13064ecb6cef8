"""The committed clip: small, cut for HLS, and credited."""

from pathlib import Path

import av
import pytest

from service.cli.demo import CLIP
from service.cli.segments import cut, plan

LIMIT_BYTES = 3_000_000


def test_the_clip_is_small_and_720p25() -> None:
    assert CLIP.stat().st_size <= LIMIT_BYTES
    with av.open(str(CLIP)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.width, stream.codec_context.height, float(stream.average_rate or 0)) == (1280, 720, 25.0)
        assert 20 <= float(container.duration or 0) / av.time_base <= 40


def test_the_origin_copies_it_in_segments_of_one_second() -> None:
    wanted = plan(CLIP)
    assert wanted.copy
    assert {round(segment.duration_s, 3) for segment in cut(wanted)} == {1.0}


@pytest.mark.parametrize("words", ["CC BY 3.0", "Reallusion", "Scopia", "Blend Swap", "do not endorse"])
def test_its_credits_lie_beside_it(words: str) -> None:
    assert words in Path(CLIP).with_name("ATTRIBUTION.txt").read_text(encoding="utf-8")
