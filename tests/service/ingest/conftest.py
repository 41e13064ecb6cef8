"""Test videos, made once a session by the system's ffmpeg, and the real RTMP server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.ingest.address import AddressGuard, parse_networks
from tests.servers.hls_origin import cut_segments
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.publisher import make_video
from tests.servers.tls import Certificate, make_certificate


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ingest")


@pytest.fixture(scope="session")
def video_720p(folder: Path) -> Path:
    return make_video(folder / "720p25.mp4")


@pytest.fixture(scope="session")
def segments(video_720p: Path, folder: Path) -> list[Path]:
    return cut_segments(video_720p, folder / "h264")


@pytest.fixture(scope="session")
def small_segments(folder: Path) -> list[Path]:
    return cut_segments(make_video(folder / "small.mp4", size="320x240", duration_s=2.0), folder / "small")


@pytest.fixture(scope="session")
def hevc_segments(folder: Path) -> list[Path]:
    return cut_segments(make_video(folder / "hevc.mp4", size="320x240", duration_s=2.0, codec="libx265"), folder / "hevc")


@pytest.fixture(scope="session")
def certificate(folder: Path) -> Certificate:
    return make_certificate(folder)


@pytest.fixture(scope="session")
def nginx(folder: Path) -> Iterator[NginxRtmp]:
    with NginxRtmp(folder / "nginx") as server:
        yield server


@pytest.fixture
def guard() -> AddressGuard:
    """Allows exactly one loopback address: 127.0.0.2 plays the inner network that must never be reached."""
    return AddressGuard(parse_networks(["127.0.0.1/32"]))
