"""Decodes no more of a stream than the pictures that are wanted need. Knows no connection, no canvas and no clock but the stream's.

Packets are held undecoded until one reaches the time of the next wanted picture; then those held are decoded as references (pictures
that no other refers to are skipped), and all that follow until the picture is out. A key frame needs none of what is held before it:
that is never decoded, and the decoder starts afresh with it. So at 2 of 25 pictures a second about half of a GOP of 1 s is decoded, and
three quarters of one of 2 s; of key frames alone nothing else but the one to three packets that bring each out.

Measured on 720p25, CPU ms a packet, one idle core: everything 1.7-2.8; without the pictures that no other refers to 1.3-2.2 (streams
without B-frames have none); key frames alone .1-.2. The loop filter is left out only where no picture refers to the result: 5 % less, at
54 dB or more from the full decode, on the canvas. Left out everywhere it would spare 10-25 %, but drifts until the next key frame: 37 dB
after 2 s, 32 after 10. One thread a stream: two take a fifth more CPU, and frame threads bring each picture out a packet later.
"""

import time
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.video.stream import VideoStream

from service.errors import StreamError
from service.ingest.decode import check_size
from service.ingest.effort import SLACK_S, Demand

MAX_HELD = 150
MAX_HELD_BYTES = 4 << 20
HELD_S = 60.0
MAX_BAD_PACKETS = 50
OPTIONS = {"skip_loop_filter": "noref"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One wanted picture, the CPU-bound seconds that decoding it took with all it refers to, and how many before it were passed over."""

    frame: av.VideoFrame
    pixel_aspect: Fraction | None
    decode_s: float
    passed_over: int = 0


class LazyDecoder:
    """One connection's packets in, wanted pictures out; StreamError when packets keep coming but no picture can be had."""

    def __init__(self, stream: VideoStream, demand: Demand, max_source_pixels: int, patience_s: float) -> None:
        self._stream = stream
        self._codec = stream.codec_context
        self._demand = demand
        self._max_source_pixels = max_source_pixels
        self._watchdog = _Watchdog(patience_s)
        self._held: list[av.Packet[VideoStream]] = []
        self._held_bytes = 0
        self._is_waiting = True
        self._sent_s: float | None = None
        self._sent_key_s: float | None = None
        self._shown_from_s: float | None = None
        self._last_dts: int | None = None
        self._decode_s = 0.0
        self._packets = 0
        demand.restart()

    def pictures(self, packet: "av.Packet[VideoStream]") -> list[Picture]:
        """The wanted pictures that this packet brings out."""
        if not packet.size:
            return self._send(packet)  # the end: brings out what the decoder still has
        self._packets += 1
        self._notice_restart(packet)
        at_s = _time_s(packet)
        if packet.is_keyframe and self._held:
            self._held.clear()
            self._codec.flush_buffers()
            self._shown_from_s = at_s  # what an open GOP shows before its key frame refers to pictures that were not decoded
        if not self._is_waiting and not self._demand.wants(at_s, is_key=packet.is_keyframe):
            return self._hold(packet)
        pictures = self._catch_up()
        self._sent_s = at_s if self._sent_s is None else max(self._sent_s, at_s)
        self._sent_key_s = at_s if packet.is_keyframe else self._sent_key_s
        return pictures + self._send(packet)

    def _send(self, packet: "av.Packet[VideoStream]") -> list[Picture]:
        frames = self._decode(packet)
        self._watchdog.saw(good=bool(frames))
        return self._choose(frames)

    def _hold(self, packet: "av.Packet[VideoStream]") -> list[Picture]:
        self._watchdog.rest()
        self._held_bytes = packet.size + (self._held_bytes if self._held else 0)
        self._held.append(packet)
        return self._catch_up() if len(self._held) > MAX_HELD or self._held_bytes > MAX_HELD_BYTES else []

    def _catch_up(self) -> list[Picture]:
        """Decode what is held, as references."""
        if not self._held:
            return []
        self._codec.skip_frame = "NONREF"
        frames = [frame for packet in self._held for frame in self._decode(packet)]
        self._codec.skip_frame = "DEFAULT"
        self._shown_from_s = max(_time_s(packet) for packet in self._held) + SLACK_S
        self._held.clear()
        return self._choose(frames)

    def _notice_restart(self, packet: "av.Packet[VideoStream]") -> None:
        """When the timestamps go back, a key frame begins something new, of which the decoder's waiting pictures are no part."""
        last_dts, self._last_dts = self._last_dts, self._last_dts if packet.dts is None else packet.dts
        if last_dts is None or packet.dts is None or packet.dts >= last_dts:
            return
        if packet.is_keyframe and not self._demand.is_full:
            self._codec.flush_buffers()
        self._demand.restart()
        self._is_waiting, self._sent_s, self._sent_key_s, self._shown_from_s = True, None, None, None

    def _decode(self, packet: "av.Packet[VideoStream]") -> list[av.VideoFrame]:
        begun_s = time.perf_counter()
        try:
            return packet.decode()
        except (av.error.InvalidDataError, av.error.PatchWelcomeError):
            return []
        finally:
            self._decode_s += time.perf_counter() - begun_s

    def _choose(self, frames: list[av.VideoFrame]) -> list[Picture]:
        wanted = [frame for frame in frames if not frame.is_corrupt and self._takes(frame)]
        self._is_waiting = self._is_sent_wanted()
        if not wanted:
            return []
        passed_over = 0 if self._demand.is_full else max(0, self._packets - len(wanted))
        cost_s, self._decode_s, self._packets = self._decode_s / len(wanted), 0.0, 0
        aspect = self._stream.sample_aspect_ratio
        return [Picture(frame, aspect, cost_s, passed_over if frame is wanted[0] else 0) for frame in wanted]

    def _takes(self, frame: av.VideoFrame) -> bool:
        check_size(frame.width, frame.height, self._max_source_pixels)
        at_s = time.monotonic() if frame.pts is None else frame.time
        if self._shown_from_s is not None and 0.0 < self._shown_from_s - at_s < HELD_S:
            return False
        is_key = self._sent_key_s is not None and abs(at_s - self._sent_key_s) < SLACK_S / 2
        if not self._demand.wants(at_s, is_key=is_key):
            return False
        self._demand.took(at_s, is_key=is_key)
        if is_key:
            self._sent_key_s = None
        return True

    def _is_sent_wanted(self) -> bool:
        """Whether a wanted picture is on its way through the decoder."""
        sent_s, key_s = self._sent_s, self._sent_key_s
        if sent_s is None:
            return True
        return self._demand.wants(sent_s, is_key=False) or (key_s is not None and self._demand.wants(key_s, is_key=True))


class _Watchdog:
    """Raises when packets keep coming but no picture does."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._bad = 0
        self._good_at_s = time.monotonic()

    def rest(self) -> None:
        """No picture was asked for."""
        self._good_at_s = time.monotonic()

    def saw(self, *, good: bool) -> None:
        now_s = time.monotonic()
        if good:
            self._bad, self._good_at_s = 0, now_s
            return
        self._bad += 1
        if self._bad >= MAX_BAD_PACKETS:
            raise StreamError("codec_unsupported", f"no picture could be decoded from the last {self._bad} packets", permanent=False)
        if now_s - self._good_at_s > self._patience_s:
            raise StreamError("timeout", f"no picture came for {now_s - self._good_at_s:.1f} s")


def _time_s(packet: "av.Packet[VideoStream]") -> float:
    """When the packet's picture is shown; a packet that does not say comes at its time."""
    stamp = packet.dts if packet.pts is None else packet.pts
    return time.monotonic() if stamp is None else float(stamp * packet.time_base)
