"""Streams that are pushed by key to a media server of the operator's: the whole way, on two real servers that ask Vigil who may publish."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.product import Product, receive, running, wait_until
from tests.servers.nginx_rtmp import NginxRtmp
from tests.servers.node_media_server import NodeMediaServer
from tests.servers.process import free_port, require_binary
from tests.servers.publisher import FfmpegPublisher, make_video

TOKEN = "a-token-of-the-operator"
GIVES_UP_WITHIN_S = 20.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "small.mp4", size="640x360", fps=12)


@pytest.fixture(scope="module")
def port() -> int:
    """Where the media server of each test listens, one after the other."""
    return free_port()


@pytest.fixture(scope="module")
def product(port: int) -> Iterator[Product]:
    with running("--engine", "fake", environment={"VIGIL_PUSH_URL": f"rtmp://127.0.0.1:{port}/live", "VIGIL_HOOK_TOKEN": TOKEN}) as started:
        yield started


def pushed(product: Product) -> dict[str, Any]:
    made = product.http.post("/v1/streams", json={"source": "push"})
    assert made.status_code == 201, made.text
    return dict(made.json())


def refused(video: Path, url: str) -> bool:
    """Whether ffmpeg is thrown out, with an error, before the video is over again and again."""
    push = ("-re", "-stream_loop", "-1", "-i", str(video), "-c", "copy", "-f", "flv", url)
    ran = subprocess.run(
        [require_binary("ffmpeg"), "-loglevel", "error", *push],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GIVES_UP_WITHIN_S,
        check=False,
    )
    return ran.returncode != 0


def counted(product: Product, server: str, outcome: str) -> float:
    sample = f'vigil_publishes_total{{outcome="{outcome}",process="api",server="{server}"}} '
    return next(float(line.removeprefix(sample)) for line in product.http.get("/metrics").text.splitlines() if line.startswith(sample))


def goes_live_by_key_and_again(product: Product, stream: dict[str, Any], video: Path) -> None:
    """Pending; pushed: live, and its graph flows; broken off: ended; pushed again: live, where it left off."""
    stream_id, url = stream["id"], stream["publish"]["url"]
    product.wait_for_state(stream_id, "pending", 5)
    wait_until(lambda: product.stream(stream_id)["message"] == "waits for its publisher", 5, "word of what it waits for")
    publisher = FfmpegPublisher(video, url)
    with publisher:
        product.wait_for_state(stream_id, "live", 15)
        with product.socket(f"/v1/streams/{stream_id}/graph") as socket:
            assert [receive(socket, 10)["type"] for _ in range(3)] == ["snapshot", "delta", "delta"]
        publisher.kill()
        product.wait_for_state(stream_id, "ended", 15)
    ended = product.stream(stream_id)
    assert (ended["message"], ended["code"]) == ("its publisher stopped", None)
    assert ended["seq"] > 0
    with FfmpegPublisher(video, url):
        product.wait_for_state(stream_id, "live", 15)
        wait_until(lambda: product.stream(stream_id)["seq"] > ended["seq"], 10, "frames after those of the first push")
    product.wait_for_state(stream_id, "ended", 15)


def is_refused_with_a_wrong_key(product: Product, stream: dict[str, Any], video: Path, server: str) -> None:
    before = counted(product, server, "wrong_key")
    assert refused(video, stream["publish"]["url"][:-4] + "nope")
    assert counted(product, server, "wrong_key") == before + 1
    assert product.stream(stream["id"])["state"] == "ended"


def nginx_at(product: Product, folder: Path, port: int) -> NginxRtmp:
    base = f"{product.base_url}/v1/hooks/nginx-rtmp"
    hooks = {f"on_{call}": f"{base}/{call}?token={TOKEN}" for call in ("publish", "publish_done", "play")}
    return NginxRtmp(folder, idle_streams=False, hooks=hooks, rtmp_port=port)


def test_a_stream_pushed_to_nginx_is_watched_by_key(product: Product, video: Path, tmp_path: Path, port: int) -> None:
    stream = pushed(product)
    with nginx_at(product, tmp_path / "nginx", port):
        goes_live_by_key_and_again(product, stream, video)
        is_refused_with_a_wrong_key(product, stream, video, "nginx-rtmp")
        with FfmpegPublisher(video, stream["publish"]["url"]):
            product.wait_for_state(stream["id"], "live", 15)
            assert refused(video, stream["publish"]["url"]), "another publisher publishes"
            assert product.stream(stream["id"])["state"] == "live"
            assert product.http.delete(f"/v1/streams/{stream['id']}").status_code == 204
        assert refused(video, stream["publish"]["url"]), "the stream is gone"
        assert counted(product, "nginx-rtmp", "unknown_stream") == 1


def test_nobody_else_plays_what_is_pushed(product: Product, video: Path, tmp_path: Path, port: int) -> None:
    stream = pushed(product)
    with nginx_at(product, tmp_path / "nginx", port) as nginx, FfmpegPublisher(video, stream["publish"]["url"]):
        product.wait_for_state(stream["id"], "live", 15)
        for url in (nginx.rtmp_url(stream["id"]), stream["publish"]["url"]):
            play = ("-rw_timeout", "5000000", "-i", url, "-frames:v", "1", "-f", "null", "-")
            ran = subprocess.run(
                [require_binary("ffmpeg"), "-loglevel", "error", *play],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=False,
            )
            assert ran.returncode != 0
        assert counted(product, "nginx-rtmp", "play_refused") >= 2
    product.http.delete(f"/v1/streams/{stream['id']}")


def test_a_stream_pushed_to_node_media_server_is_watched_by_key(product: Product, video: Path, tmp_path: Path, port: int) -> None:
    notify = f"{product.base_url}/v1/hooks/node-media-server/notify?token={TOKEN}"
    stream = pushed(product)
    with NodeMediaServer(tmp_path / "node", notify, rtmp_port=port):
        goes_live_by_key_and_again(product, stream, video)
        is_refused_with_a_wrong_key(product, stream, video, "node-media-server")
        assert counted(product, "node-media-server", "accepted") == 2
    product.http.delete(f"/v1/streams/{stream['id']}")


def test_an_operator_who_forgets_the_token_is_told_at_start() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
        env={**os.environ, "VIGIL_PUSH_URL": "rtmp://127.0.0.1/live"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "VIGIL_PUSH_URL needs VIGIL_HOOK_TOKEN too" in ran.stderr
    assert "Traceback" not in ran.stderr
