"""One embedded server and one small live HLS stream for all tests of the shard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.state.embedded import EmbeddedServer
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.publisher import make_video


@pytest.fixture(scope="session")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[Segment]:
    folder = tmp_path_factory.mktemp("video")
    video = make_video(folder / "small.mp4", size="320x192", fps=12, duration_s=4.0)
    return [Segment(path) for path in cut_segments(video, folder / "segments")]


@pytest.fixture(scope="session")
def live_url(segments: list[Segment]) -> Iterator[str]:
    with HlsOrigin(segments) as origin:
        yield origin.url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with EmbeddedServer.start() as server:
        yield server.url


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shard")
