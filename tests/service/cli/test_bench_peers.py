"""Peers side by side, tiny: everyone takes turns and is counted; how fast anyone is, is no test."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from service.cli.bench_peers import PLAIN, PLAIN_ONE, RELTR, RELTR_OWN, VIGIL, VIGIL_MANY, VIGIL_ONE, VigilLoop, measure_peers, own_engine
from service.cli.procfs import family
from service.settings import Settings
from tests.servers.publisher import make_video

PIXELS = 128 * 64


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "small.mp4", size="320x160", fps=10, duration_s=1.0)


def test_vigil_and_its_peers_are_measured_in_one_run(video: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    said: list[str] = []
    result = measure_peers(video, 0.5, said.append, backend="onnxruntime", max_pixels=PIXELS, short_side=64, round_s=0.1)
    found = {one.name: one for one in result.contenders}
    assert list(found) == [VIGIL, VIGIL_ONE, VIGIL_MANY, PLAIN, PLAIN_ONE, RELTR, RELTR_OWN]
    assert (result.source_width, result.source_height) == (320, 160)
    assert {(one.width, one.height) for one in result.contenders} == {(128, 64)}
    for one in result.contenders:
        assert one.frames >= 1
        assert one.fps == pytest.approx(one.frames / one.seconds)
        assert one.ratio == pytest.approx(one.fps / found[PLAIN].fps)
    assert found[PLAIN_ONE].threads == found[VIGIL_ONE].threads == 1
    assert result.over_plain == found[VIGIL].ratio
    assert result.over_best_plain == pytest.approx(found[VIGIL].fps / max(found[PLAIN].fps, found[PLAIN_ONE].fps))
    assert result.many_over_best_plain == pytest.approx(found[VIGIL_MANY].fps / max(found[PLAIN].fps, found[PLAIN_ONE].fps))
    assert result.published.rebuilt_parameters_m == found[RELTR].parameters_m == pytest.approx(result.published.parameters_m, rel=0.005)
    assert said
    assert "vigil-engine" not in {use.name for use in family(os.getpid())}


def test_vigils_own_loop_goes_on_over_the_end_of_the_clip(video: Path) -> None:
    settings = Settings(engine="fake", max_pixels=PIXELS, max_streams=1, log_level="warning")
    with ExitStack() as stack:
        loop = VigilLoop(video, PIXELS, own_engine(settings, stack), stack)
        times_s, shown = [], []
        for _ in range(15):
            loop.step()
            assert loop.last is not None
            times_s.append(loop.last.delta.media_s)
            shown.append([node.label for node in loop.last.snapshot.nodes])
    assert times_s == sorted(set(times_s))
    assert "person" in shown[-1]


def test_without_torch_or_opencv_the_reason_is_one_sentence(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "model.peers.plain_loop", raising=False)
    with pytest.raises(ValueError, match=r"the peers need torch and OpenCV: .*cv2.*vigil\[bench\]"):
        measure_peers(video, 0.1, print, backend="fake", max_pixels=PIXELS)
