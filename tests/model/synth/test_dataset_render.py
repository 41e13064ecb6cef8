"""One process renders a tiny scene: boxes fit, what is hidden is left out, the same seed gives the same clip."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from model.annotations import read_clip
from model.synth.dataset import clip_folders, clips, frames_of

if TYPE_CHECKING:
    from model.annotations import Frame
    from model.render.fast_renderer import FastRenderer
    from model.render.sight import Sight

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
WIDTH, HEIGHT = 192, 128


@pytest.fixture(scope="module")
def renderer() -> Any:
    pytest.importorskip("pyrender", reason="the extra `render` is not installed", exc_type=ImportError)
    from model.render.fast_renderer import FastRenderer

    try:
        renderer = FastRenderer(WIDTH, HEIGHT)
    except ValueError as error:
        pytest.skip(f"no off-screen OpenGL: {error}")
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def seen(renderer: "FastRenderer") -> "tuple[Sight, Frame]":
    from model.synth.look import Lens, frame_of
    from tests.model.synth.tiny_scene import TinyScene

    scene = TinyScene()
    moment, lens = scene.at(0.0), Lens(scene.camera(0.0), scene.yfov)
    sight = renderer.observe(scene.room.scene, lens.pose, lens.yfov, [actor.nodes for actor in moment.actors])
    return sight, frame_of(sight, moment, lens, 0, 0.0)


def test_a_box_fits_what_is_seen_and_what_geometry_says(seen: "tuple[Sight, Frame]") -> None:
    from model.synth.look import Lens
    from tests.model.synth.tiny_scene import NEAR_BOX, TinyScene

    sight, frame = seen
    scene = TinyScene()
    corners = np.array([[0.55 + x, 1.0 + y, 0.3 + z] for x in (-0.2, 0.2) for y in (-0.2, 0.2) for z in (-0.1, 0.1)])
    image = Lens(scene.camera(0.0), scene.yfov).project(corners, WIDTH / HEIGHT)
    x0, y0, x1, y1 = next(entity.box for entity in frame.entities if entity.id == NEAR_BOX)
    assert (x0, x1) == pytest.approx((image[:, 0].min(), image[:, 0].max()), abs=1.5 / WIDTH)
    assert (y0, y1) == pytest.approx((image[:, 1].min(), image[:, 1].max()), abs=1.5 / HEIGHT)
    rows, columns = np.nonzero(sight.actor_HW == NEAR_BOX + 1)
    assert (columns.min() / WIDTH, rows.min() / HEIGHT) == (x0, y0)


def test_what_stands_behind_somebody_is_left_out_with_its_relations(seen: "tuple[Sight, Frame]") -> None:
    from tests.model.synth.tiny_scene import HIDDEN_BOX, NEAR_BOX, PERSON

    sight, frame = seen
    assert {entity.id for entity in frame.entities} == {PERSON, NEAR_BOX}
    assert {(relation.subject, relation.predicate) for relation in frame.relations} == {
        (PERSON, "looking_at"),
        (NEAR_BOX, "in_front_of"),
        (PERSON, "holding"),
    }
    assert sight.amodal_A[HIDDEN_BOX] >= 100
    assert (sight.actor_HW == HIDDEN_BOX + 1).sum() < 40


def test_the_share_that_shows_is_of_the_whole_thing(seen: "tuple[Sight, Frame]") -> None:
    sight, frame = seen
    person, near = frame.entities
    assert near.visible == 1.0
    assert person.visible == pytest.approx((sight.actor_HW == 1).sum() / sight.amodal_A[0], abs=1e-3)
    assert 0.8 < person.visible < 1.0


def test_depth_is_in_metres(seen: "tuple[Sight, Frame]") -> None:
    sight, _ = seen
    assert sight.depth_HW[HEIGHT // 2, WIDTH // 2] == pytest.approx(3.85, abs=0.1)


def test_a_hand_before_the_body_is_seen_and_one_behind_it_is_not(seen: "tuple[Sight, Frame]") -> None:
    _, frame = seen
    body = frame.entities[0].body
    assert body is not None
    assert body.left.seen
    assert body.left.touches == 1
    assert not body.right.seen
    assert body.right.touches is None
    assert body.face_seen
    assert body.head_seen
    assert body.gaze == pytest.approx((0.0, 0.0, -1.0), abs=0.06)


def test_the_same_seed_gives_the_same_clip_and_decoding_fits_the_annotation(renderer: "FastRenderer", tmp_path: Path) -> None:
    from model.synth.render_clip import Job, Shape, render_clip
    from tests.model.synth.tiny_scene import TinyScene

    shape = Shape(seed=3, num_frames=3, fps=5, width=WIDTH, height=HEIGHT)
    jobs = [Job(tmp_path / name, "train", number, shape) for name, number in (("a", 0), ("b", 0), ("b", 1))]
    for job in jobs:
        assert not job.is_done
        render_clip(job, TinyScene, renderer)
        assert job.is_done
    one, same, other = (read_clip(job.folder / "clip.json") for job in jobs)
    assert one == same
    assert one.sha256 != other.sha256
    assert [clip.name for clip in clips(tmp_path / "b", "train")] == ["train-00000", "train-00001"]
    assert frames_of(clip_folders(tmp_path / "a", "train")[0]).shape == (3, HEIGHT, WIDTH, 3)
    assert not list(tmp_path.rglob("*.part"))
