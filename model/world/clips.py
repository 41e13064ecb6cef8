"""Sets scenes in motion: short clips with uneven frame times in which people sway, walk, reach and look elsewhere, and cameras shake."""

from dataclasses import dataclass, replace

import numpy as np

from model.world.body import pose_body
from model.world.camera import Camera, draw_camera
from model.world.detections import Frames, Quirks, detect, draw_quirks
from model.world.gaze import Gaze, directions, draw_gaze
from model.world.hands import HOLD, Hands, draw_hands, place
from model.world.room import draw_scene
from model.world.scene import STAND, Scene, repeated
from model.world.sight import Habits, draw_habits, see
from model.world.space import heading, spread
from model.world.things import Bool, Float
from model.world.truth import label

RATES_FPS = (25.0, 15.0, 10.0, 6.0, 3.0)
DROP_SHARE = 0.1
WALKING_SHARE = 0.25
MOVING_HAND_SHARE = 0.5
GLANCE_SHARE = 0.3
PANNING_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class _Take:
    """Everything drawn about a scene and how it is filmed."""

    scene: Scene
    doing: Hands
    camera: Camera
    gaze: Gaze
    glance: Gaze
    habits: Habits
    quirks: Quirks


def draw_frames(rng: np.random.Generator, count: int) -> Frames:
    """`count` unrelated frames."""
    return draw_clips(rng, count, 1)


def draw_clips(rng: np.random.Generator, count: int, num_frames: int) -> Frames:
    """`count` clips of `num_frames` frames each, clip after clip: arrays reshape to (count, num_frames, ...)."""
    take = _draw_take(rng, count)
    dt_SF = _frame_times(rng, count, num_frames)
    moved = _set_in_motion(rng, repeated(take, num_frames), np.cumsum(dt_SF, 1) - dt_SF[:, :1]) if num_frames > 1 else take
    posed = place(moved.scene, moved.doing)
    sight = see(posed, moved.camera, moved.habits)
    looks = directions(posed, moved.gaze, moved.camera)
    truth = label(rng, posed, looks, moved.camera, sight)
    return detect(rng, posed, moved.camera, sight, looks, moved.quirks, truth, dt_SF.reshape(-1))


def _draw_take(rng: np.random.Generator, count: int) -> _Take:
    scene = draw_scene(rng, count)
    doing = draw_hands(rng, scene, pose_body(scene.people))
    posed = place(scene, doing)
    gazes = draw_gaze(rng, posed), draw_gaze(rng, posed)
    return _Take(scene, doing, draw_camera(rng, posed), *gazes, draw_habits(rng, posed), draw_quirks(rng, posed))


def _frame_times(rng: np.random.Generator, count: int, num_frames: int) -> Float:
    """Seconds since the previous frame: a rate per clip, jitter, and frames that were dropped."""
    period = 1 / rng.choice(RATES_FPS, (count, 1))
    jitter = np.exp(rng.normal(0, 0.2, (count, num_frames)))
    dropped = 1 + (rng.random((count, num_frames)) < DROP_SHARE) * rng.integers(1, 4, (count, num_frames))
    return period * jitter * dropped


def _set_in_motion(rng: np.random.Generator, take: _Take, time_SF: Float) -> _Take:
    sway = _Sway(rng, time_SF)
    count, num_frames = time_SF.shape
    early = np.repeat(rng.random((count, 2)) < GLANCE_SHARE, num_frames, 0) & _after(rng, time_SF)[:, None]
    return replace(
        take,
        scene=_move_people(rng, take.scene, sway, time_SF),
        doing=_move_hands(rng, take.doing, sway, time_SF),
        camera=_move_camera(rng, take.camera, sway, time_SF),
        gaze=replace(
            take.gaze,
            kind_SQ=np.where(early, take.glance.kind_SQ, take.gaze.kind_SQ),
            thing_SQ=np.where(early, take.glance.thing_SQ, take.gaze.thing_SQ),
        ),
    )


def _after(rng: np.random.Generator, time_SF: Float) -> Bool:
    """Frames after a moment drawn inside each clip; flat."""
    out: Bool = (time_SF > time_SF[:, -1:] * rng.random((len(time_SF), 1))).reshape(-1)
    return out


class _Sway:
    """Smooth wandering about zero, by the clock: every call is another independent pair of sines per clip."""

    def __init__(self, rng: np.random.Generator, time_SF: Float) -> None:
        self._rng, self._time_SF = rng, time_SF

    def __call__(self, *shape: int) -> Float:
        """(frames of all clips, *shape), of unit variance."""
        count, num_frames = self._time_SF.shape
        time = self._time_SF.reshape(count, num_frames, *([1] * len(shape)))
        total = np.zeros((count, num_frames, *shape))
        for low, high in ((0.1, 0.4), (0.4, 1.2)):
            rate = 2 * np.pi * self._rng.uniform(low, high, (count, 1, *shape))
            total += np.sin(rate * time + self._rng.uniform(0, 2 * np.pi, (count, 1, *shape)))
        return total.reshape(count * num_frames, *shape)


def _move_people(rng: np.random.Generator, scene: Scene, sway: _Sway, time_SF: Float) -> Scene:
    """Sway of trunk and limbs; some people who stand on the floor walk."""
    people = scene.people
    count, num_frames = time_SF.shape
    walks = np.repeat(rng.random((count, 2)) < WALKING_SHARE, num_frames, 0) & ~people.supported_SQ & (people.pose_SQ == STAND)
    speed = np.repeat(rng.uniform(0.1, 0.9, (count, 2)), num_frames, 0) * walks
    path = spread(speed * time_SF.reshape(-1, 1)) * heading(people.facing_SQ)
    wander = 0.015 * sway(2, 3) * np.array([1.0, 1.0, 0.0])
    return replace(
        scene,
        people=replace(
            people,
            root_SQ3=people.root_SQ3 + path + wander,
            facing_SQ=people.facing_SQ + 0.08 * sway(2),
            tilt_SQ=people.tilt_SQ + 0.04 * sway(2),
            limbs_SQA4=people.limbs_SQA4 + 0.15 * sway(2, 2, 4),
        ),
    )


def _move_hands(rng: np.random.Generator, doing: Hands, sway: _Sway, time_SF: Float) -> Hands:
    """Hands waver; half of those that hold nothing start on their way or leave within the clip."""
    count, num_frames = time_SF.shape
    moves = np.repeat(rng.random((count, 2, 2)) < MOVING_HAND_SHARE, num_frames, 0) & (doing.action_SQA != HOLD)
    moment = time_SF[:, -1:, None, None] * rng.random((count, 1, 2, 2))
    direction = rng.choice([-1.0, 1.0], (count, 1, 2, 2))
    phase = 1 / (1 + np.exp(-direction * (time_SF[..., None, None] - moment) / 0.12))
    free = (doing.free_SQA4 + 0.06 * sway(2, 2, 4)).clip(0, 1)
    free[..., 3] = doing.free_SQA4[..., 3]
    return replace(doing, phase_SQA=np.where(moves, phase.reshape(-1, 2, 2), doing.phase_SQA), free_SQA4=free)


def _move_camera(rng: np.random.Generator, camera: Camera, sway: _Sway, time_SF: Float) -> Camera:
    """A hand-held camera; a quarter of the clips pan."""
    count, num_frames = time_SF.shape
    shake = np.repeat(rng.choice([0.0, 0.01, 0.03], (count, 1)), num_frames, 0)
    pan = (rng.random((count, 1)) < PANNING_SHARE) * rng.normal(0, 0.25, (count, 3))
    path = (pan[:, None] * time_SF[..., None]).reshape(-1, 3)
    return replace(camera, position_S3=camera.position_S3 + shake * sway(3), target_S3=camera.target_S3 + shake * sway(3) + path)
