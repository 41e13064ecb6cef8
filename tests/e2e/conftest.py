"""Videos, servers and policies that the end-to-end tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.publisher import make_video, run_ffmpeg

EVENT_S = 4
POLICIES = """
- name: person-holding-cup
  severity: high
  mode: enforce
  when: {relation: {subject: person, predicate: holding, object: cup}}
  for: 1s
  cooldown: 1s
"""


@pytest.fixture(scope="session")
def moving_720p25(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A moving test picture, 1280x720 at 25 FPS."""
    return make_video(tmp_path_factory.mktemp("video") / "moving.mp4")


@pytest.fixture(scope="session")
def events_720p25(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark, then bright, for EVENT_S seconds each: to the fake engine a bright picture is a person who holds a cup."""
    path = tmp_path_factory.mktemp("video") / "events.mp4"
    sources = [("-f", "lavfi", "-i", f"color=c={colour}:s=1280x720:r=25:d={EVENT_S}") for colour in ("0x202020", "0xe0e0e0")]
    run_ffmpeg(
        *sources[0], *sources[1], *("-filter_complex", "[0:v][1:v]concat=n=2:v=1[v]", "-map", "[v]"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p"), str(path),
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def bright_720p25(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Always bright: one event that never ends."""
    path = tmp_path_factory.mktemp("video") / "bright.mp4"
    run_ffmpeg(
        *("-f", "lavfi", "-i", "color=c=0xe0e0e0:s=1280x720:r=25:d=4", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-tune", "zerolatency", "-g", "25", "-pix_fmt", "yuv420p", str(path)),
    )
    return path


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[NginxRtmp]:
    with NginxRtmp(tmp_path / "nginx") as server:
        yield server


@pytest.fixture
def cup_policy(tmp_path: Path) -> Path:
    path = tmp_path / "cup.yaml"
    path.write_text(POLICIES)
    return path
