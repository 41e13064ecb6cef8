"""Video files as frames, for replay: every format FFmpeg reads, decoded in order, as fast as they are asked for. Knows no network.

Errors: ValueError with a sentence (no such file, not a video, too large).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.container import InputContainer

from service.errors import StreamError
from service.ingest.clock import FrameSampler, MediaClock
from service.ingest.decode import Painter, check_size
from service.types import Frame

MAX_SOURCE_PIXELS = 3840 * 2160
_OPTIONS = {"protocol_whitelist": "file"}


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What a file says about itself; estimates, good for a progress bar. `num_frames` and `duration_s` are 0 when unknown."""

    width: int
    height: int
    fps: float
    duration_s: float
    num_frames: int


def probe_file(path: Path, fps: float | None = None, max_source_pixels: int = MAX_SOURCE_PIXELS) -> FileInfo:
    """Size, rate and length; `num_frames` counts the frames that `read_file` would give at this `fps`."""
    with _opened(path, max_source_pixels) as container:
        stream = container.streams.video[0]
        source_fps = float(stream.average_rate or stream.guessed_rate or 0)
        duration_s = _duration_s(container)
        num_frames = stream.frames or round(duration_s * source_fps)
        if fps is not None and duration_s:
            num_frames = min(num_frames or round(duration_s * fps), max(1, round(duration_s * fps)))
        return FileInfo(stream.codec_context.width, stream.codec_context.height, source_fps, duration_s, num_frames)


def read_file(
    path: Path, max_pixels: int, stream_id: str = "file", fps: float | None = None, max_source_pixels: int = MAX_SOURCE_PIXELS
) -> Iterator[Frame]:
    """Frames on a canvas of at most `max_pixels`, seq from 0, media time from 0; damaged packets are skipped."""
    clock, sampler, painter = MediaClock(), FrameSampler(fps), Painter(max_pixels)
    seq = 0
    with _opened(path, max_source_pixels) as container:
        for picture in _pictures(container, path, max_source_pixels):
            media_s = clock.advance(picture.time, 0.0)
            if not sampler.keeps(media_s):
                continue
            painted = painter.paint(picture, container.streams.video[0].sample_aspect_ratio)
            yield Frame(stream_id, seq, picture.time, media_s, time.time(), painted.image_HW3, painted.content_hw, painted.source_hw)
            seq += 1


@contextmanager
def _opened(path: Path, max_source_pixels: int) -> Iterator[InputContainer]:
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    try:
        container = av.open(str(path.absolute()), options=dict(_OPTIONS), metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(f"{path} is not a video that can be read: {error.strerror}") from None
    with container:
        if not container.streams.video or container.streams.video[0].codec_context is None:
            raise ValueError(f"{path} holds no video that can be decoded")
        codec = container.streams.video[0].codec_context
        _require_size(path, codec.width, codec.height, max_source_pixels)
        codec.options = {"max_pixels": str(max_source_pixels)}
        yield container


def _pictures(container: InputContainer, path: Path, max_source_pixels: int) -> Iterator[av.VideoFrame]:
    num_pictures = 0
    for packet in container.demux(container.streams.video[0]):
        try:
            pictures = packet.decode()
        except (av.error.InvalidDataError, av.error.PatchWelcomeError):
            continue
        for picture in pictures:
            _require_size(path, picture.width, picture.height, max_source_pixels)
            num_pictures += 1
            yield picture
    if not num_pictures:
        raise ValueError(f"{path} holds no picture that can be decoded")


def _require_size(path: Path, width: int, height: int, max_source_pixels: int) -> None:
    try:
        check_size(width, height, max_source_pixels)
    except StreamError as error:
        raise ValueError(f"{path}: {error}") from None


def _duration_s(container: InputContainer) -> float:
    stream = container.streams.video[0]
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0
