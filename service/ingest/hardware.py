"""Which decoder a stream gets: software, or NVDEC by FFmpeg's "cuda" hwaccel. Knows no stream. Has not run on a GPU yet.

    auto       NVDEC where a GPU and its driver are and the codec is one of its own, else software; which, the log and the metric say
    software   never asks for a GPU
    cuda       NVDEC, or the stream fails with codec_unsupported: nothing falls back in silence

What counts is the format of the pictures that come out: FFmpeg falls back by itself when NVDEC cannot have a stream's profile.
Decoded pictures stay on the device (`is_hw_owned`); only those that are wanted come down, when they are painted: FFmpeg as PyAV
carries it has no scaler for them, and frames go to the engine through shared memory. A hand-over by DLPack needs an engine in the
same process and is not built.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import av.error
import structlog
from av.codec import CodecContext
from av.codec.hwaccel import HWAccel

from service.errors import StreamError

DecoderPolicy = Literal["auto", "software", "cuda"]
DecoderKind = Literal["software", "cuda"]
Probe = Callable[[], str]

log = structlog.get_logger()


class HasFormat(Protocol):
    """What has a pixel format: `av.VideoFrame`."""

    @property
    def format(self) -> "HasName": ...


class HasName(Protocol):
    """`av.VideoFormat`."""

    @property
    def name(self) -> str: ...


def why_no_gpu() -> str:
    """Why NVDEC cannot be had on this machine, empty when it can."""
    try:
        CodecContext.create("h264", "r", hwaccel=_cuda())
    except av.error.FFmpegError as error:
        return f"FFmpeg gets no CUDA device: {error.strerror}"
    return ""


class DecoderChoice:
    """One stream's decoder under the operator's policy."""

    def __init__(self, policy: DecoderPolicy, probe: Probe = why_no_gpu) -> None:
        self._policy = policy
        self._probe = probe
        self._given_up = policy == "software"

    def hwaccel(self) -> HWAccel | None:
        """What to open the next connection with, None for software."""
        if self._given_up:
            return None
        why_not = self._probe()
        if not why_not:
            return _cuda()
        self._refuse_if_bound(why_not)
        self.give_up(why_not)
        return None

    def verify(self, picture: HasFormat) -> DecoderKind:
        """Which decoder this picture really came from."""
        kind: DecoderKind = "cuda" if picture.format.name == "cuda" else "software"
        if kind == "software":
            self._refuse_if_bound("FFmpeg decodes this stream in software")
        return kind

    def give_up(self, why: str) -> None:
        """Under "auto": software from the next connection on."""
        if self._policy == "auto" and not self._given_up:
            self._given_up = True
            log.info("decoder_in_software", why=why)

    def _refuse_if_bound(self, why: str) -> None:
        if self._policy == "cuda":
            raise StreamError("codec_unsupported", f"VIGIL_DECODER is cuda, but {why}")


def _cuda() -> HWAccel:
    return HWAccel("cuda", allow_software_fallback=True, is_hw_owned=True)
