"""Whatever a user does wrong gets one clear sentence and its own code, and the service goes on serving everyone else."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import model
from tests.e2e.product import Product, running
from tests.servers.hls_origin import HlsOrigin, Segment, cut_segments
from tests.servers.oversize import make_oversize

NANO = Path(model.__file__).parent / "checkpoints" / "nano-v1"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with running("--engine", "fake") as started:
        yield started
        assert started.http.get("/readyz").status_code == 200, "something that a user sent harmed the service"


@pytest.mark.parametrize(
    ("url", "status", "code", "words"),
    [
        ("ftp://example.org/cam", 400, "unsupported_url", "ftp"),
        ("not a url", 400, "unsupported_url", "no spaces"),
        ("rtmp://10.0.0.1/live/cam", 403, "forbidden_address", "10.0.0.1"),
        ("http://169.254.169.254/latest/meta-data", 403, "forbidden_address", "169.254.169.254"),
        ("http://[::1]/live.m3u8", 403, "forbidden_address", "::1"),
    ],
)
def test_an_address_that_can_never_work_is_refused_at_once(product: Product, url: str, status: int, code: str, words: str) -> None:
    answer = product.http.post("/v1/streams", json={"url": url})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert words in problem["detail"]


def test_an_unknown_host_is_tried_again_and_says_so(product: Product) -> None:
    stream_id = product.watch("rtmp://no-such-host.invalid/live/cam")
    product.wait_for_state(stream_id, "reconnecting", 15)
    answer = product.stream(stream_id)
    assert answer["code"] == "connection_failed"
    assert "no-such-host.invalid" in answer["message"]


def test_a_page_that_is_no_video_fails_for_good(product: Product, tmp_path: Path, moving_720p25: Path) -> None:
    with HlsOrigin([Segment(path) for path in cut_segments(moving_720p25, tmp_path / "hls")]) as origin:
        origin.pages["/page.m3u8"] = b"<html>hello</html>"
        stream_id = product.watch(f"{origin.base}/page.m3u8")
        product.wait_for_state(stream_id, "failed", 20)
    assert product.stream(stream_id)["code"] == "codec_unsupported"


def test_a_picture_twenty_thousand_pixels_wide_fails_for_good(product: Product, tmp_path: Path) -> None:
    wide = make_oversize(tmp_path, 20_000, 320, ".ts")
    with HlsOrigin([Segment(wide)]) as origin:
        stream_id = product.watch(origin.url)
        product.wait_for_state(stream_id, "failed", 20)
    answer = product.stream(stream_id)
    assert answer["code"] == "too_large"
    assert "20000" in answer["message"]


def test_broken_json_is_a_problem_with_a_place(product: Product) -> None:
    answer = product.http.post("/v1/streams", content=b'{"url": ', headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "JSON" in answer.json()["detail"]


def test_an_unknown_label_in_a_policy_is_refused_with_its_line_and_a_guess(product: Product, tmp_path: Path) -> None:
    text = "- name: cup\n  when:\n    relation: {subject: person, predicate: holding, object: cupp}\n"
    answer = product.http.post("/v1/policies/check", json={"text": text})
    assert "line" in json.dumps(answer.json())
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    checked = subprocess.run(
        [sys.executable, "-m", "service.cli", "policy", "check", str(path)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 1
    assert "bad.yaml:3" in checked.stdout + checked.stderr
    assert "cup" in checked.stdout + checked.stderr


def test_a_checkpoint_that_was_changed_is_refused_at_start(tmp_path: Path) -> None:
    folder = tmp_path / "nano"
    shutil.copytree(NANO, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    graph = folder / next(name for name in manifest["files"] if name.endswith(".onnx"))
    graph.write_bytes(graph.read_bytes()[:-1])
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--model-dir", str(folder)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert graph.name in done.stderr
    assert "Traceback" not in done.stderr
