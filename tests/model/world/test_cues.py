"""Simulated cues are as right as their constants say, and say nothing where nobody looked; surroundings stand where they should."""

import dataclasses

import numpy as np
import pytest
import torch

from model.samples import Plan, Samples
from model.vocabulary import CONTACTING, SPATIAL
from model.world.body import pose_body
from model.world.camera import axes_of, draw_camera
from model.world.clips import draw_clips, draw_frames
from model.world.cues import LARGE_PERSON, POSTURE_OF, SeenPeople, draw_cue_quirks, look_at_people
from model.world.detections import Frames
from model.world.gaze import Directions, directions, draw_gaze
from model.world.hands import Posed, draw_hands, place
from model.world.room import draw_scene
from model.world.scene import AROUND, COVER, LIE, SUPPORT
from model.world.sight import Sight, draw_habits, see
from model.world.space import in_box_frame
from model.world.things import INDEX, is_any

COUNT = 700


@dataclasses.dataclass(frozen=True)
class Look:
    """A posed world, what is true of it, and the cues."""

    posed: Posed
    sight: Sight
    looks: Directions
    axes: tuple[np.ndarray, ...]
    seen: SeenPeople


@pytest.fixture(scope="module")
def look() -> Look:
    rng = np.random.default_rng(21)
    scene = draw_scene(rng, COUNT)
    posed = place(scene, draw_hands(rng, scene, pose_body(scene.people)))
    camera = draw_camera(rng, posed)
    sight = see(posed, camera, draw_habits(rng, posed))
    looks = directions(posed, draw_gaze(rng, posed), camera)
    contact_SQA = np.zeros((COUNT, 2, 2), bool)
    contact_SQA[..., 0] = True
    quirks = draw_cue_quirks(rng, (COUNT, 2))
    seen = look_at_people(rng, posed, camera, sight, looks, contact_SQA, quirks, np.zeros(COUNT, bool))
    return Look(posed, sight, looks, axes_of(camera), seen)


@pytest.fixture(scope="module")
def frames() -> Frames:
    return draw_frames(np.random.default_rng(22), 600)


def _scale(look: Look) -> np.ndarray:
    """The longer sides of people's boxes."""
    box = look.sight.person_boxes_SQ4
    longer: np.ndarray = (box[..., 2:] - box[..., :2]).max(-1)
    return longer


def test_palms_are_off_by_about_a_tenth_of_a_person_and_left_comes_first(look: Look) -> None:
    right_to_left = look.sight.hands_SQA2[:, :, ::-1]
    error = np.linalg.norm(look.seen.hands_SQA2 - right_to_left, axis=-1) / _scale(look)[..., None]
    good = look.sight.hand_free_SQA[..., ::-1] & look.seen.known_SQ[..., None] & look.posed.people.present_SQ[..., None]
    assert 0.08 < np.median(error[good]) < 0.11


def test_contact_is_right_in_about_65_of_100_of_the_seen_hands(look: Look) -> None:
    good = look.sight.hand_free_SQA[..., ::-1] & look.seen.known_SQ[..., None]
    said = look.seen.contact_SQA > 0.5
    good &= (_scale(look) > LARGE_PERSON)[..., None]
    assert 0.6 < said[..., 1][good[..., 1]].mean() < 0.72
    assert 0.6 < (~said[..., 0])[good[..., 0]].mean() < 0.72


def test_the_head_points_where_the_face_does_within_about_33_degrees(look: Look) -> None:
    good = look.seen.known_SQ & look.sight.head_seen_SQ
    depth = (look.looks.face_SQ3 * look.axes[2][:, None]).sum(-1)
    assert np.corrcoef(look.seen.gaze_SQ3[..., 2][good], depth[good])[0, 1] > 0.7
    right, down, forward = (axis[:, None] for axis in look.axes)
    true_SQ3 = np.stack([(look.looks.face_SQ3 * axis).sum(-1) for axis in (right, down, forward)], -1)
    angle = np.degrees(np.arccos((look.seen.gaze_SQ3 * true_SQ3).sum(-1).clip(-1, 1)))
    large = good & (_scale(look) > LARGE_PERSON)
    assert 26 < np.median(angle[large]) < 40
    np.testing.assert_allclose(np.linalg.norm(look.seen.gaze_SQ3, axis=-1)[look.seen.known_SQ], 1.0, atol=1e-5)


def test_postures_are_right_in_about_88_of_100(look: Look) -> None:
    true = np.vectorize(POSTURE_OF.__getitem__)(look.posed.people.pose_SQ)
    right = (look.seen.posture_SQ4.argmax(-1) == true)[look.seen.known_SQ & (_scale(look) > LARGE_PERSON)].mean()
    assert 0.82 < right < 0.93


def test_where_nobody_looked_or_nobody_is_reported_there_are_zeros(frames: Frames) -> None:
    unknown = frames.known_SQ == 0
    assert (frames.known_SQ[frames.scores_SN[:, :2] == 0] == 0).all()
    for values in (frames.hands_SQA2, frames.hand_seen_SQA, frames.contact_SQA, frames.gaze_SQ3, frames.face_SQ, frames.posture_SQ4):
        assert (values[unknown] == 0).all()
    assert 0.6 < frames.known_SQ[frames.scores_SN[:, :2] > 0].mean() < 0.8


def test_a_clip_keeps_its_errors_from_frame_to_frame() -> None:
    frames = draw_clips(np.random.default_rng(23), 60, 6)
    posture = frames.posture_SQ4.reshape(60, 6, 2, 4)[:, :, 0]
    known = frames.known_SQ.reshape(60, 6, 2)[:, :, 0].all(1)
    within, between = posture[known].std(1).mean(), posture[known].mean(1).std(0).mean()
    assert within < between


def test_samples_fill_the_cues_of_people_and_of_nothing_else() -> None:
    clip = Samples(Plan(80, 1, 3), 1, 8, "drawing").frame(torch.arange(80), 0, torch.Generator().manual_seed(0))
    cues = clip.entities.cues
    assert float(cues.known_BN[:, :2].sum()) > 40
    assert all(float(cue[:, 2:].abs().max()) == 0.0 for cue in cues)
    assert [tuple(cue.shape[2:]) for cue in cues] == [(2, 2), (2,), (2,), (3,), (), (4,), ()]


def test_what_flanks_a_seat_stands_outside_its_sides(look: Look) -> None:
    things = look.posed.things
    seat = things.present_ST[:, SUPPORT.start] & is_any(things.class_ST[:, SUPPORT.start], "chair, couch")
    beside = things.centre_ST3[:, AROUND.start : AROUND.start + 2]
    local = in_box_frame(beside, things.centre_ST3[:, :1], things.yaw_ST[:, :1])[:, 0]
    gap = np.abs(local[..., 0]) - things.size_ST3[:, [0], 0] / 2 - things.size_ST3[:, AROUND.start : AROUND.start + 2, 0] / 2
    aligned = np.abs(things.yaw_ST[:, AROUND.start : AROUND.start + 2] - things.yaw_ST[:, [0]]) < 1e-9
    flanking = aligned & seat[:, None]
    assert flanking.sum() > 50
    assert (gap[flanking] > -1e-6).all()


def test_a_blanket_over_somebody_covers_them_from_above(frames: Frames) -> None:
    covered = frames.contacting_SQNG[..., CONTACTING.index("covered_by")]
    slots = slice(2 + COVER.start, 2 + COVER.stop)
    assert covered.sum() > 5
    assert covered[:, :, slots].sum() == covered.sum()
    assert (frames.real_SN[:, None].repeat(2, 1)[covered] == INDEX["blanket"]).all()
    assert frames.spatial_SQNG[covered][:, SPATIAL.index("above")].all()


def test_some_people_who_lie_have_a_pillow_beyond_the_shoulders(look: Look) -> None:
    lies = (look.posed.people.pose_SQ == LIE) & look.posed.things.present_ST[:, COVER]
    pillow = lies & (look.posed.things.class_ST[:, COVER] == INDEX["pillow"])
    away = np.linalg.norm(look.posed.things.centre_ST3[:, COVER] - look.posed.body.head_SQ3, axis=-1)
    assert pillow.sum() > 3
    assert np.median(away[pillow]) < 0.35
