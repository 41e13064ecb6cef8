"""Cuts a video file into MPEG-TS segments of about a second, without coding again where the file allows it. Knows no clock and no HTTP.

Coding again happens only for what HLS cannot carry (GIF, VP9, missing timestamps ...) and for key frames that are too far apart.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error

CARRIED_CODECS = frozenset({"h264", "hevc"})
CARRIED_FORMATS = frozenset({"yuv420p", "yuvj420p"})
SEGMENT_S = 1.0
LONGEST_COPIED_S = 4.0
SHORTEST_FILE_S = 0.5
INSPECTED_S = 60.0
HEAD_ROOM_S = 2.0
CLOCK = Fraction(1, 90_000)


@dataclass(frozen=True, slots=True)
class Segment:
    """Starts with a key frame; timestamps go on from the segment before it within one pass."""

    data: bytes
    duration_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a file needs: `copy` its packets or code them again; `target_s` bounds every segment."""

    path: Path
    copy: bool
    target_s: int


def plan(path: Path) -> Plan:
    """Look at the first minute of a file. Raises ValueError in words when it cannot be played."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with av.open(str(path)) as container:
            longest_gop_s, duration_s = _inspect(container, path)
            copy = longest_gop_s is not None and longest_gop_s <= LONGEST_COPIED_S
    except av.error.FFmpegError as error:
        raise ValueError(f"{path}: not a video that can be read ({error.strerror or error})") from error
    if duration_s < SHORTEST_FILE_S:
        raise ValueError(f"{path}: {duration_s:.2f} s of video, at least {SHORTEST_FILE_S} s are needed")
    longest_s = max(SEGMENT_S, longest_gop_s or 0.0) if copy else SEGMENT_S
    return Plan(path, copy, int(longest_s + SEGMENT_S))


def cut(wanted: Plan) -> Iterator[Segment]:
    """One pass over the file, lazily: at most one segment is in memory."""
    sink = _Sink()
    with av.open(str(wanted.path)) as source, av.open(sink, "w", format="mpegts", options=_TS_OPTIONS) as target:
        packets = _copied(source, target) if wanted.copy else _coded(source, target)
        start_s: float | None = None
        end_s = 0.0
        for packet in packets:
            if packet.pts is None or packet.time_base is None:
                continue
            at_s = float(packet.pts * packet.time_base)
            if start_s is not None and packet.is_keyframe and at_s - start_s >= SEGMENT_S * 0.98:
                yield Segment(sink.take(), at_s - start_s)
                start_s = at_s
            start_s = at_s if start_s is None else start_s
            end_s = max(end_s, at_s + float((packet.duration or 0) * packet.time_base))
            target.mux(packet)
    if start_s is not None:
        yield Segment(sink.take(), max(end_s - start_s, 0.04))


_TS_OPTIONS = {"mpegts_flags": "pat_pmt_at_frames+initial_discontinuity", "flush_packets": "1"}


class _Sink(io.RawIOBase):
    """What the muxer wrote since the last `take`."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _inspect(container: av.container.InputContainer, path: Path) -> tuple[float | None, float]:
    """(longest distance of key frames or None when packets cannot be copied, seconds of video seen)."""
    if not container.streams.video:
        raise ValueError(f"{path}: no video in it")
    stream = container.streams.video[0]
    carried = stream.codec_context.name in CARRIED_CODECS and stream.codec_context.pix_fmt in CARRIED_FORMATS
    first_s = key_s = end_s = None
    longest_s = 0.0
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if packet.pts is None or packet.dts is None or packet.time_base is None:
            carried = False
            continue
        at_s = float(packet.pts * packet.time_base)
        first_s = at_s if first_s is None else first_s
        end_s = max(end_s or at_s, at_s + float((packet.duration or 0) * packet.time_base))
        if packet.is_keyframe:
            longest_s = max(longest_s, at_s - (first_s if key_s is None else key_s))
            key_s = at_s
        if end_s - first_s > INSPECTED_S:
            break
    if first_s is None or end_s is None:
        return None, float(container.duration or 0) / av.time_base
    longest_s = max(longest_s, end_s - (first_s if key_s is None else key_s))
    return (longest_s if carried and key_s is not None else None), end_s - first_s


def _copied(source: av.container.InputContainer, target: av.container.OutputContainer) -> Iterator["av.Packet[av.VideoStream]"]:
    stream = source.streams.video[0]
    out = target.add_stream_from_template(stream)
    shift: int | None = None
    for packet in source.demux(stream):
        if packet.size == 0 or packet.pts is None or packet.dts is None or packet.time_base is None:
            continue
        if shift is None:
            shift = int(HEAD_ROOM_S / packet.time_base) - packet.dts
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        packet.stream = out
        yield packet


def _coded(source: av.container.InputContainer, target: av.container.OutputContainer) -> Iterator["av.Packet[av.VideoStream]"]:
    stream = source.streams.video[0]
    rate = stream.average_rate or Fraction(25)
    width, height = max(2, stream.codec_context.width // 2 * 2), max(2, stream.codec_context.height // 2 * 2)
    out = target.add_stream("libx264", rate=min(rate, Fraction(60)))
    out.width, out.height, out.pix_fmt = width, height, "yuv420p"
    out.codec_context.time_base = CLOCK
    out.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1000", "crf": "23"}
    first_s: float | None = None
    next_key_s, last_pts = 0.0, -1
    for index, frame in enumerate(source.decode(stream)):
        at_s = frame.time if frame.time is not None else index / float(rate)
        first_s = at_s if first_s is None else first_s
        picture = frame.reformat(width=width, height=height, format="yuv420p")
        last_pts = max(last_pts + 1, int((at_s - first_s + HEAD_ROOM_S) / CLOCK))
        picture.pts, picture.time_base = last_pts, CLOCK
        is_key = at_s - first_s >= next_key_s
        next_key_s = at_s - first_s + SEGMENT_S if is_key else next_key_s
        picture.pict_type = av.video.frame.PictureType.I if is_key else av.video.frame.PictureType.NONE
        yield from out.encode(picture)
    yield from out.encode(None)
