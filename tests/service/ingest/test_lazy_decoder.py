"""What is decoded for the pictures that are wanted: the same pictures as by decoding everything, from fewer packets."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from av.video.stream import VideoStream

from service.errors import StreamError
from service.ingest.effort import FULL_EFFORT, Demand, Effort
from service.ingest.lazy_decoder import MAX_HELD, LazyDecoder, Picture
from tests.servers.publisher import run_ffmpeg

KINDS = {
    "no B-frames": ("libx264", "-tune", "zerolatency", "-g", "25"),
    "B-frames": ("libx264", "-g", "25", "-bf", "2", "-sc_threshold", "0"),
    "a pyramid of B-frames": ("libx264", "-g", "25", "-bf", "3", "-sc_threshold", "0", "-x264-params", "b-pyramid=normal"),
    "an open GOP": ("libx264", "-g", "20", "-bf", "3", "-x264-params", "open-gop=1:b-pyramid=normal:scenecut=0"),
    "HEVC": ("libx265", "-g", "20", "-x265-params", "open-gop=1:log-level=error"),
    "one key frame": ("libx264", "-tune", "zerolatency", "-g", "1000"),
}
ONLY_KEYS = Effort(key_frames_only=True)


class Packet:
    """A packet that counts when it is decoded; `delay` moves its timestamps."""

    def __init__(self, packet: "av.Packet[VideoStream]", counts: list[int]) -> None:
        self._packet = packet
        self._counts = counts
        self.size, self.is_keyframe = packet.size, packet.is_keyframe
        self.pts, self.dts, self.time_base = packet.pts, packet.dts, packet.time_base

    def decode(self) -> list[av.VideoFrame]:
        self._counts[0] += bool(self.size)
        return self._packet.decode()


class Bench:
    """A file's packets through one decoder, as fast as they go."""

    def __init__(self, path: Path, demand: Demand) -> None:
        self._path = path
        self.demand = demand
        self.counts = [0]
        self.num_packets = 0
        self.pictures: dict[float, Picture] = {}
        self.longest_wait = 0

    def run(self, on_packet: Callable[[int], object] = bool) -> "Bench":
        """All of it; `on_packet` is called before each."""
        with opened(self._path) as (packets, stream):
            decoder, begin_s = LazyDecoder(stream, self.demand, 3840 * 2160, 60.0), None
            for number, packet in enumerate(packets):
                on_packet(number)
                self.num_packets += bool(packet.size)
                for picture in decoder.pictures(Packet(packet, self.counts)):  # type: ignore[arg-type]
                    begin_s = picture.frame.time if begin_s is None else begin_s
                    at_s = round(picture.frame.time - begin_s, 3)
                    self.pictures[at_s] = picture
                    self.longest_wait = max(self.longest_wait, number - round(at_s * 25))
            assert stream.codec_context.skip_frame == "DEFAULT"
        return self

    @property
    def times(self) -> list[float]:
        return list(self.pictures)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Iterator["av.Packet[VideoStream]"], VideoStream]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        yield container.demux(stream), stream


@pytest.fixture(scope="module", params=KINDS)
def video(request: pytest.FixtureRequest, folder: Path) -> tuple[str, Path]:
    kind = str(request.param)
    codec, *options = KINDS[kind]
    path = folder / f"{kind.replace(' ', '-')}.ts"
    source = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8,noise=alls=9:allf=t")
    run_ffmpeg(*source, "-c:v", codec, "-preset", "veryfast", *options, "-pix_fmt", "yuv420p", str(path))
    return kind, path


def same(one: Picture, other: Picture) -> bool:
    return bool(np.array_equal(one.frame.to_ndarray(), other.frame.to_ndarray()))


@pytest.mark.parametrize("demand", [Demand(10.0), Demand(2.0), Demand(0.5), Demand(None, ONLY_KEYS)], ids=["10", "2", ".5", "keys"])
def test_the_pictures_are_those_of_a_full_decode_and_come_no_later(video: tuple[str, Path], demand: Demand) -> None:
    full, lazy = Bench(video[1], Demand()).run(), Bench(video[1], demand).run()
    assert len(full.pictures) == full.num_packets == full.counts[0] == 200
    assert all(same(lazy.pictures[at_s], full.pictures[at_s]) for at_s in lazy.times)
    assert lazy.longest_wait <= full.longest_wait
    assert lazy.times == sorted(lazy.times)


def test_at_two_a_second_the_end_of_each_gop_is_not_decoded(video: tuple[str, Path]) -> None:
    kind, path = video
    bench = Bench(path, Demand(2.0)).run()
    assert len(bench.pictures) == pytest.approx(16, abs=1)
    assert max(np.diff(bench.times)) < 0.85
    assert sum(picture.passed_over for picture in bench.pictures.values()) == pytest.approx(184, abs=20)
    if kind != "one key frame":
        assert bench.counts[0] < 0.85 * bench.num_packets


def test_of_key_frames_alone_nothing_else_is_decoded_but_what_brings_them_out(video: tuple[str, Path]) -> None:
    kind, path = video
    bench = Bench(path, Demand(None, ONLY_KEYS)).run()
    if kind == "one key frame":
        assert bench.times == [0.0, 4.0]
        return
    assert len(bench.pictures) >= 8
    assert all(picture.frame.pict_type == PictureType.I for picture in bench.pictures.values())
    assert bench.counts[0] <= 7 * len(bench.pictures)


def test_effort_changes_within_two_pictures_and_back_without_a_blemish(video: tuple[str, Path]) -> None:
    kind, path = video
    full, bench = Bench(path, Demand()).run(), Bench(path, Demand())
    changes = {60: ONLY_KEYS, 140: FULL_EFFORT}

    def change(number: int) -> None:
        if number in changes:
            bench.demand.set_effort(changes[number])

    bench.run(change)
    assert all(same(bench.pictures[at_s], full.pictures[at_s]) for at_s in bench.times)
    reduced = [at_s for at_s in bench.times if 60 / 25 < at_s < 136 / 25]
    assert len(reduced) <= 5
    assert len([at_s for at_s in bench.times if at_s >= 145 / 25]) == 55
    assert kind == "one key frame" or len(reduced) >= 2


def test_what_is_held_is_bounded(folder: Path) -> None:
    path = folder / "long.mp4"
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=20")
    run_ffmpeg(*source, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "1000", str(path))
    bench = Bench(path, Demand(0.1))
    undecoded: list[int] = []
    bench.run(lambda number: undecoded.append(number - bench.counts[0]))
    assert bench.times == pytest.approx([0.0, 10.0], abs=0.05)
    assert 100 < max(undecoded) <= MAX_HELD + 1


def test_packets_that_give_no_picture_end_the_connection_but_only_when_one_is_wanted(folder: Path) -> None:
    path = folder / "whole.mp4"
    source = ("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=8")
    run_ffmpeg(*source, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", str(path))
    with opened(path) as (packets, stream):
        decoder = LazyDecoder(stream, Demand(1.0), 3840 * 2160, 60.0)
        good = next(packets)
        assert len(decoder.pictures(good)) == 1
        garbage = [_garbage(packet) for packet in packets if packet.size]
        assert [decoder.pictures(packet) for packet in garbage[:23]] == [[]] * 23
        with pytest.raises(StreamError, match="no picture could be decoded from the last 50 packets"):
            list(map(decoder.pictures, garbage[23:]))


def _garbage(packet: "av.Packet[VideoStream]") -> "av.Packet[VideoStream]":
    packet.update(b"\xff" * packet.size)
    return packet
