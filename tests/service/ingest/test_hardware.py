"""The decoder policy, as far as a machine without a GPU can show it; no test here has decoded on one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import pytest
from structlog.testing import capture_logs

from service.errors import StreamError
from service.ingest.address import AddressGuard
from service.ingest.hardware import DecoderChoice, why_no_gpu
from service.logs import configure
from service.settings import Settings
from tests.servers.hls_origin import HlsOrigin, Segment
from tests.service.ingest.watch import Watch


@dataclass(frozen=True)
class FakeFormat:
    name: str


@dataclass(frozen=True)
class DevicePicture:
    """As FFmpeg hands out a picture that stays on the GPU."""

    format: FakeFormat = FakeFormat("cuda")


@pytest.fixture
def plan(segments: list[Path]) -> list[Segment]:
    return [Segment(path) for path in segments]


def gpu_is_there() -> str:
    return ""


def gpu_is_missing() -> str:
    return "there is no driver"


def never_asked() -> str:
    raise AssertionError("software asks for no GPU")


def test_software_asks_for_no_gpu() -> None:
    choice = DecoderChoice("software", never_asked)
    assert choice.hwaccel() is None
    assert choice.verify(av.VideoFrame(64, 64, "yuv420p")) == "software"


def test_auto_falls_back_and_says_so_once() -> None:
    choice = DecoderChoice("auto", gpu_is_missing)
    configure("info", as_json=False)
    with capture_logs() as logs:
        assert choice.hwaccel() is None
        assert choice.hwaccel() is None
    assert logs == [{"event": "decoder_in_software", "why": "there is no driver", "log_level": "info"}]
    assert choice.verify(av.VideoFrame(64, 64, "yuv420p")) == "software"


def test_auto_takes_the_gpu_until_it_fails_a_stream() -> None:
    choice = DecoderChoice("auto", gpu_is_there)
    accel = choice.hwaccel()
    assert accel is not None
    assert accel.is_hw_owned
    assert choice.verify(DevicePicture()) == "cuda"
    choice.give_up("no picture could be decoded")
    assert choice.hwaccel() is None


def test_cuda_without_a_gpu_fails_in_words() -> None:
    with pytest.raises(StreamError, match="VIGIL_DECODER is cuda, but there is no driver") as caught:
        DecoderChoice("cuda", gpu_is_missing).hwaccel()
    assert caught.value.code == "codec_unsupported"


def test_cuda_does_not_take_pictures_that_ffmpeg_decoded_in_software() -> None:
    choice = DecoderChoice("cuda", gpu_is_there)
    assert choice.verify(DevicePicture()) == "cuda"
    choice.give_up("one bad stretch")
    assert choice.hwaccel() is not None
    with pytest.raises(StreamError, match="decodes this stream in software"):
        choice.verify(av.VideoFrame(64, 64, "nv12"))


@pytest.mark.skipif(not why_no_gpu(), reason="this machine has a GPU")
def test_a_stream_that_insists_on_a_gpu_fails_where_there_is_none(plan: list[Segment], guard: AddressGuard) -> None:
    settings = Settings(decoder="cuda", backoff_base_s=0.01, backoff_max_s=0.01)
    with HlsOrigin(plan) as origin, Watch(origin.url, guard, settings=settings) as watch:
        watch.until_state("failed")
    assert set(watch.codes) == {"codec_unsupported"}
    assert "VIGIL_DECODER is cuda, but FFmpeg gets no CUDA device" in watch.states[-1][2]


@pytest.mark.parametrize("policy", ["auto", "software"])
def test_streams_are_counted_by_the_decoder_that_runs(
    plan: list[Segment], guard: AddressGuard, policy: Literal["auto", "software"]
) -> None:
    if policy == "auto" and not why_no_gpu():
        pytest.skip("this machine has a GPU")
    with HlsOrigin(plan) as origin, Watch(origin.url, guard, settings=Settings(decoder=policy)) as watch:
        watch.until_frames(3)
        assert 'vigil_decoder{kind="software"} 1.0' in watch.metrics.expose().decode()
    assert 'vigil_decoder{kind="software"} 0.0' in watch.metrics.expose().decode()
