"""A tiny rendering of the demo scene: it loops, the event comes and goes, and models load by the rules."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

if TYPE_CHECKING:
    from model.render.demo_scene import DemoScene

CLIP_CREDITS = Path(__file__).parents[3] / "service" / "cli" / "demo_clip" / "ATTRIBUTION.txt"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SIZE = (160, 90)


@pytest.fixture(scope="module")
def demo() -> "DemoScene":
    pytest.importorskip("pyrender", reason="the extra `render` is not installed", exc_type=ImportError)
    from model.render.demo_scene import DemoScene
    from model.render.furniture import DEFAULT_FOLDER, FurnitureLibrary

    if not DEFAULT_FOLDER.is_dir():
        pytest.skip("the Debian package sweethome3d-furniture is not installed")
    return DemoScene(FurnitureLibrary())


@pytest.fixture(scope="module")
def renderer(demo: "DemoScene") -> Any:
    from model.render.renderer import Renderer

    del demo
    try:
        renderer = Renderer(*SIZE)
    except ValueError as error:
        pytest.skip(f"no off-screen OpenGL: {error}")
    yield renderer
    renderer.close()


def picture(demo: "DemoScene", renderer: Any, phase: float) -> np.ndarray[Any, np.dtype[np.uint8]]:
    demo.move(phase)
    return np.asarray(renderer.render(demo.room.scene, demo.camera(phase)))


def test_the_last_moment_is_the_first_again(demo: "DemoScene", renderer: Any) -> None:
    first, last = picture(demo, renderer, 0.0), picture(demo, renderer, 1.0)
    assert first.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(first.astype(int) - last).mean() < 1.0
    assert np.abs(first.astype(int) - picture(demo, renderer, 0.6)).mean() > 10.0


def test_the_blue_cup_is_seen_in_one_stretch_of_the_loop_only(demo: "DemoScene", renderer: Any) -> None:
    def shows_blue(phase: float) -> bool:
        red, _, blue = np.moveaxis(picture(demo, renderer, phase).astype(int), -1, 0)
        return bool(((blue - red > 60) & (red < 90)).sum() > 20)

    seen = [shows_blue(index / 12) for index in range(12)]
    starts = [now and not before for before, now in zip([seen[-1], *seen], seen, strict=False)]
    assert sum(starts) == 1
    assert 4 <= sum(seen) <= 8


def test_a_model_is_scaled_to_the_table_with_its_base_at_the_origin(demo: "DemoScene") -> None:
    from model.render.furniture import load_parts

    for asset_id in ("SC/living_lamp", "CB/laptop"):
        asset = demo.room.library.assets[asset_id]
        parts = load_parts(demo.room.library.folder, asset)
        low = np.min([part.bounds[0] for part in parts], axis=0)
        high = np.max([part.bounds[1] for part in parts], axis=0)
        assert high - low == pytest.approx(asset.size, abs=1e-4)
        assert low[1] == pytest.approx(0.0, abs=1e-6)
        assert (low + high)[[0, 2]] == pytest.approx((0.0, 0.0), abs=1e-6)


def test_the_command_writes_a_clip_and_its_credits(renderer: Any, tmp_path: Path) -> None:
    del renderer  # skips where there is no OpenGL; the command runs in a process of its own, for there is one surface a process
    out = tmp_path / "clip.mp4"
    command = ["data", "demo-clip", "--out", str(out), "--seconds", "0.4", "--fps", "5", "--size", "160x90"]
    subprocess.run([sys.executable, "-m", "service.cli", *command], check=True, capture_output=True, timeout=60)
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2
    assert "Reallusion" in (tmp_path / "ATTRIBUTION.txt").read_text(encoding="utf-8")


def test_a_missing_folder_is_said_in_words(demo: "DemoScene", tmp_path: Path) -> None:
    from model.render.furniture import FurnitureLibrary

    del demo
    with pytest.raises(ValueError, match="sweethome3d-furniture"):
        FurnitureLibrary(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="known:"):
        FurnitureLibrary(tmp_path).mesh("SC/spaceship")
    with pytest.raises(ValueError, match="does not hold"):
        FurnitureLibrary(tmp_path).mesh("SC/dog")


def test_the_clips_credits_are_those_of_the_scenes_models(demo: "DemoScene") -> None:
    from model.render.assets import attribution

    assert CLIP_CREDITS.read_text(encoding="utf-8") == attribution(demo.room.library.used.values())
