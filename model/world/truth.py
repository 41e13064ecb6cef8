"""Which relations hold in a posed scene, from 3-D contact, support, gaze and the person's own frame. Deterministic but for doubt.

Spatial relations are the thing's, relative to the person: "the bed is beneath the person". Axes: S scenes, Q people, T things.
"""

from typing import NamedTuple

import numpy as np

from model.vocabulary import CONTACTING, SPATIAL
from model.world.camera import Camera
from model.world.gaze import Directions
from model.world.hands import HOLD, MOUTH, Posed
from model.world.scene import COVER, CROUCH, FLOOR, HELD_LEFT, HELD_RIGHT, JUMP, LEAN, LIE, NUM_PEOPLE, NUM_THINGS, SIT, STAND, WORN
from model.world.sight import Sight
from model.world.space import axes, distance_to_box, heading, in_box_frame, unit
from model.world.things import SMALL, Bool, Float, Int, is_any

LOOKING, NOT_LOOKING, UNSURE = range(3)
HAND_RADIUS_M = 0.045
NEAR_BODY_M = 0.12
IN_FRONT_RAD, BESIDE_RAD, BEHIND_RAD = 1.1, 0.8, 2.2
"""In front: within 63 degrees of where the body faces, as annotators use the word; beside begins before that ends."""


class Truth(NamedTuple):
    """Labels of every (person, thing), and which hands (right, left) touch or hold anything."""

    attention_SQT: Int
    spatial_SQTG: Bool
    contacting_SQTG: Bool
    hand_contact_SQA: Bool


class _Contacts(NamedTuple):
    """Who carries, grasps and touches what."""

    support_SQT: Bool
    held_SQT: Bool
    grasped_SQT: Bool
    worn_SQT: Bool
    hand_SQTA: Bool
    elbow_SQT: Bool
    covered_SQT: Bool


def label(rng: np.random.Generator, posed: Posed, looks: Directions, camera: Camera, sight: Sight) -> Truth:
    """All three groups of relations."""
    contacts = _contacts(posed)
    attention = _attention(rng, posed, looks, camera, sight)
    return Truth(attention, _spatial(posed, contacts), _contacting(posed, contacts), _hand_contact(posed, contacts))


def _attention(rng: np.random.Generator, posed: Posed, looks: Directions, camera: Camera, sight: Sight) -> Int:
    """Looking within a cone as wide as the thing; unsure where the head is cut off, seen from behind, or the angle is close."""
    head, things = posed.body.head_SQ3, posed.things
    away = things.centre_ST3[:, None] - head[:, :, None]
    distance = np.linalg.norm(away, axis=-1)
    angle = np.arccos((unit(away) * looks.eyes_SQ3[:, :, None]).sum(-1).clip(-1, 1))
    cone = 0.16 + 0.7 * np.arctan(np.sort(things.size_ST3, -1)[..., 1][:, None] / 2 / distance)
    looking = angle < np.where(_own_slots(0), np.minimum(cone, 0.3), cone)
    to_camera = unit(camera.position_S3[:, None] - head)
    from_behind = ((looks.face_SQ3 * to_camera).sum(-1) < -0.35) & (rng.random(head.shape[:2]) < 0.7)
    doubtful = (angle >= cone) & (angle < cone + 0.19) & (rng.random(angle.shape) < 0.5)
    unsure = (~sight.head_seen_SQ | from_behind)[..., None] | (~looking & doubtful)
    return np.where(unsure, UNSURE, np.where(looking, LOOKING, NOT_LOOKING))


def _own_slots(first: int) -> Bool:
    """(Q, T): the slot of each person among those that start at `first`."""
    out: Bool = np.arange(NUM_THINGS)[None] == first + np.arange(NUM_PEOPLE)[:, None]
    return out


def _contacts(posed: Posed) -> _Contacts:
    people, things, doing = posed.people, posed.things, posed.doing
    count = len(people.pose_SQ)
    size = things.size_ST3[:, None, :, None]

    def gap(points: Float) -> Float:
        """Distance of (S, Q, X, 3) points to things: (S, Q, T, X)."""
        local = in_box_frame(points.reshape(count, -1, 3), things.centre_ST3, things.yaw_ST)
        return distance_to_box(local.reshape(count, local.shape[1], 2, -1, 3).transpose(0, 2, 1, 3, 4), size)

    hand = gap(posed.hands_SQA3) < HAND_RADIUS_M
    elbow: Bool = np.any(gap(posed.elbows_SQA3) < 0.06, axis=-1, keepdims=True)[..., 0]
    support = _own_slots(0) & people.supported_SQ[..., None]
    support[:, 1, 0] |= people.shares_S
    right, left = _own_slots(HELD_RIGHT.start), _own_slots(HELD_LEFT.start)
    held = (right & (doing.action_SQA[..., [0]] == HOLD)) | (left & (doing.action_SQA[..., [1]] == HOLD))
    small = is_any(things.class_ST, SMALL) & (things.size_ST3.max(-1) < 0.5)
    worn = np.broadcast_to(_own_slots(WORN.start), held.shape)
    covered = _own_slots(COVER.start) & people.covered_SQ[..., None]
    return _Contacts(support, held, held | (hand.any(-1) & small[:, None] & ~_loose_grip(posed)), worn, hand, elbow, covered)


def _hand_contact(posed: Posed, contacts: _Contacts) -> Bool:
    """Which hands touch a thing that is there, or hold one, alone or with the other hand."""
    touches = (contacts.hand_SQTA & posed.things.present_ST[:, None, :, None]).any(2)
    held = posed.doing.action_SQA == HOLD
    second = posed.doing.both_SQ & held[..., 0]
    out: Bool = touches | held | np.stack([second, second], -1)
    return out


def _loose_grip(posed: Posed) -> Bool:
    """A hand on a thing that lies on something: a third of people merely touch it. Decided by the hand's own draw, so that it lasts."""
    return np.broadcast_to((posed.doing.free_SQA4[..., 3].mean(-1) > 0.6)[..., None], (*posed.people.pose_SQ.shape, NUM_THINGS))


def _spatial(posed: Posed, contacts: _Contacts) -> Bool:
    """above, beneath, in front, behind, beside, in: of the thing, in the frame of the person's body."""
    people, body, things = posed.people, posed.body, posed.things
    feet = body.pelvis_SQ3 * np.array([1.0, 1.0, 0.0])
    turn = axes(things.yaw_ST)[:, None]
    local = np.einsum(
        "sqtij,sqtj->sqti", np.broadcast_to(turn, (*contacts.held_SQT.shape, 3, 3)), feet[:, :, None] - things.centre_ST3[:, None]
    )
    half = things.size_ST3[:, None] / 2
    nearest = things.centre_ST3[:, None] + np.einsum("sqtij,sqti->sqtj", np.broadcast_to(turn, (*local.shape, 3)), local.clip(-half, half))
    offset = (nearest + things.centre_ST3[:, None]) / 2 - feet[:, :, None]
    gap = np.linalg.norm((nearest - feet[:, :, None])[..., :2], axis=-1)
    ahead = (offset * heading(people.facing_SQ)[:, :, None]).sum(-1)
    aside = (offset * heading(people.facing_SQ + np.pi / 2)[:, :, None]).sum(-1)
    angle = np.abs(np.arctan2(aside, ahead))
    top, bottom = (things.centre_ST3[..., 2] + sign * half[:, 0, :, 2] for sign in (1, -1))
    pelvis = body.pelvis_SQ3[..., 2, None]
    on_table = (is_any(things.class_ST, SMALL) & (top > 0.3))[:, None]
    beneath = contacts.support_SQT | ((top[:, None] < pelvis + 0.02) & (gap < NEAR_BODY_M) & ~on_table)
    beneath &= ~contacts.covered_SQT
    above = contacts.covered_SQT | ((bottom[:, None] > (body.head_SQ3[..., 2] + 0.06 * people.height_SQ)[..., None]) & (gap < 1.2))
    free, lying = ~beneath & ~above, (people.pose_SQ == LIE)[..., None]
    upright, over = free & ~lying, bottom[:, None] > pelvis
    in_front = (upright & (angle < IN_FRONT_RAD)) | (free & lying & over)
    behind = upright & (angle > BEHIND_RAD) & (gap > 0.05)
    beside = (upright & (angle > BESIDE_RAD) & (angle < BEHIND_RAD + 0.2) & (np.hypot(ahead, aside) > 0.12)) | (free & lying & ~over)
    inside = contacts.support_SQT & is_any(things.class_ST, "car")[:, None]
    labels = {"above": above, "beneath": beneath, "in_front_of": in_front, "behind": behind, "on_the_side_of": beside, "in": inside}
    return np.stack([labels[name] for name in SPATIAL], -1)


def _contacting(posed: Posed, contacts: _Contacts) -> Bool:
    """The seventeen contacts; those that boxes cannot show (wiping, writing, twisting, other) never occur."""
    pose, class_ = posed.people.pose_SQ[..., None], posed.things.class_ST[:, None]
    support, held, worn = contacts.support_SQT, contacts.held_SQT, contacts.worn_SQT
    at_mouth = _at_mouth(posed)
    backpack, handbag = (is_any(class_, name) for name in ("backpack", "handbag"))
    big = is_any(class_, "@bulk, @pack, laptop, @board, @pet, potted plant, vase, bicycle, vacuum, chair")
    worn_on_body = worn & ~handbag
    none = np.zeros(held.shape, bool)
    labels = {
        "carrying": (held & big & np.isin(pose, [STAND, LEAN, JUMP])) | (worn & (backpack | handbag)),
        "covered_by": contacts.covered_SQT,
        "drinking_from": at_mouth & is_any(class_, "@drink"),
        "eating": at_mouth & is_any(class_, "@food"),
        "have_it_on_the_back": worn & backpack,
        "holding": contacts.grasped_SQT & ~worn,
        "leaning_on": _leaning(posed, contacts),
        "lying_on": support & (pose == LIE),
        "sitting_on": support & np.isin(pose, [SIT, CROUCH, FLOOR]),
        "standing_on": support & np.isin(pose, [STAND, JUMP]),
        "touching": (contacts.hand_SQTA.any(-1) | contacts.elbow_SQT | (worn & handbag)) & ~contacts.grasped_SQT & ~support & ~worn_on_body,
        "wearing": worn_on_body,
    }
    stacked = np.stack([labels.get(name, none) for name in CONTACTING], -1)
    stacked[..., CONTACTING.index("not_contacting")] = ~stacked.any(-1)
    return stacked


def _at_mouth(posed: Posed) -> Bool:
    """(S, Q, T): held things whose hand is at the mouth."""
    up = (posed.doing.action_SQA == HOLD) & (posed.doing.mode_SQA == MOUTH)
    out: Bool = (_own_slots(HELD_RIGHT.start) & up[..., [0]]) | (_own_slots(HELD_LEFT.start) & up[..., [1]])
    return out


def _leaning(posed: Posed, contacts: _Contacts) -> Bool:
    """Hands or elbows on furniture with the trunk tilted, or elbows on it while sitting."""
    pose = posed.people.pose_SQ
    steady = is_any(posed.things.class_ST, "dining table, bed, couch, chair, oven, refrigerator, car, sink, cabinet, shelf")[:, None]
    steady = steady & ~contacts.support_SQT
    tilted = ((posed.people.tilt_SQ > 0.3) & np.isin(pose, [SIT, LEAN, CROUCH]))[..., None]
    propped = contacts.hand_SQTA.any(-1) | contacts.elbow_SQT
    out: Bool = steady & ((propped & tilted) | (contacts.elbow_SQT & (pose == SIT)[..., None]))
    return out
