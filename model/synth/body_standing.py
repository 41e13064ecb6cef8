"""What standing people do, as key frames for one skeleton; the word in `Take.action` says what a held thing is for."""

import numpy as np

from model.synth.body_hands import (
    DOWN,
    at_ear,
    at_mouth,
    both_before,
    drinking,
    hold_at_chest,
    on_table,
    phone_before,
    reading_hands,
)
from model.synth.body_poses import TABLE_M, Poser, Take, halfway

INWARD = (-1.0, 0.0, 0.0)


def stand_idle(p: Poser) -> Take:
    """Arms hang, the head looks left, ahead, right."""
    key, sway = p.stand(), p.stand(bend=(2.0, 4.0, 2.0))
    return Take("standing", "idle", (p.turned(key, 45.0), p.turned(sway, 0.0, 5.0), p.turned(key, -50.0)))


def stand_gesture(p: Poser) -> Take:
    """Speaks with both hands."""
    key = p.stand(bend=(3.0, 0.0, 0.0))
    chest = p.marks(key).chest
    poses = []
    for x, y, z in ((0.16, -0.12, 0.26), (0.3, 0.02, 0.28), (0.2, -0.18, 0.3)):
        hands = [p.hand(i, p.at(i, chest, x, y, z), (0.1, 0.35, 1.0), (-0.6, 0.8, 0.0), curl=0.3) for i in (0, 1)]
        poses.append(p.with_hands(key, *hands))
    return Take("standing", "idle", (p.turned(poses[0], 20.0), p.turned(poses[1], -5.0), p.turned(poses[2], -25.0, 8.0)))


def stand_spread(p: Poser) -> Take:
    """Arms go from the sides to wide open and back."""
    key = p.stand()
    shoulders = p.marks(key).shoulders_H3
    wide = [p.hand(i, p.at(i, shoulders[i], 0.56, 0.02, 0.08), (1.0, 0.05, 0.1), (0.0, -0.4, 0.9), (0.1, -1.0, -0.4), 0.1) for i in (0, 1)]
    return Take("standing", "idle", halfway(key, p.with_hands(key, *wide), p.turned(key, 25.0)))


def stand_wave(p: Poser) -> Take:
    """One hand waves beside the head."""
    key = p.stand()
    shoulder = p.marks(key).shoulders_H3[p.side]
    spots = [p.at(p.side, shoulder, x, 0.3, 0.2) for x in (0.12, 0.34, 0.14, 0.32)]
    keys = [p.with_hands(key, p.hand(p.side, spot, (0.1, 1.0, 0.1), (0.0, 0.05, 1.0), (0.8, -1.0, -0.2), 0.08)) for spot in spots]
    return Take("standing", "idle", tuple(keys))


def stand_hips(p: Poser) -> Take:
    """Both hands on the hips, the head turns."""
    key = p.stand()
    hips = p.marks(key).hips
    hands = [p.hand(i, p.at(i, hips, 0.175, 0.115, 0.03), (-0.35, -0.45, 0.8), (-1.0, -0.1, -0.2), (1.0, -0.1, -0.7), 0.3) for i in (0, 1)]
    key = p.with_hands(key, *hands)
    return Take("standing", "idle", (p.turned(key, -35.0), p.turned(key, 0.0), p.turned(key, 40.0, 8.0)))


def stand_reach(p: Poser) -> Take:
    """A hand goes out to a point at shoulder height (a shelf, a door), grips there."""
    start = p.stand()
    there = p.stand(bend=(6.0, 0.0, 0.0))
    palm = p.at(p.side, p.marks(there).shoulders_H3[p.side], 0.04, -0.02, 0.52)
    key = p.with_hands(there, p.hand(p.side, palm, (0.0, 0.1, 1.0), (-0.7, -0.5, 0.0), (0.6, -1.0, -0.2), 0.35, True))
    return Take("standing", "reach", halfway(p.look_at(start, palm, 0.7), p.look_at(key, palm)))


def stand_grasp(p: Poser) -> Take:
    """A hand goes to a thing on a table, grasps it and lifts it a little."""
    start, there = p.stand(), p.stand(bend=(16.0, 0.0, 0.0))
    shoulder = p.marks(there).shoulders_H3[p.side]
    palm = np.array([shoulder[0], TABLE_M + 0.06, shoulder[2] + 0.36 * p.s])
    hand = p.hand(p.side, palm, (-0.2, -0.1, 1.0), (-1.0, -0.1, 0.0), (0.7, -0.6, -0.4), 0.45, True)
    grasp = p.with_hands(p.leaning_to(there, palm), hand)
    lifted = p.with_hands(
        p.stand(bend=(12.0, 0.0, 0.0)), p.hand(p.side, palm + p.v(0.0, 0.18, -0.1), (-0.3, 0.0, 1.0), INWARD, curl=0.55, grips=True)
    )
    return Take("standing", "reach", (*halfway(p.look_at(start, palm), p.look_at(grasp, palm)), p.look_at_hand(lifted)))


def stand_hold(p: Poser) -> Take:
    """A thing in one hand before the breast; looks at it, then ahead, then aside."""
    key = p.stand()
    low, high = p.with_hands(key, hold_at_chest(p, key, -0.14, 0.2, 0.1)), p.with_hands(key, hold_at_chest(p, key))
    return Take("standing", "hold", (p.look_at_hand(low), p.turned(high, 0.0), p.turned(low, 35.0 if p.side else -35.0)))


def stand_hold_both(p: Poser) -> Take:
    """A small thing between both hands before the breast."""
    key = p.stand()
    near, far = both_before(p, key, 0.06, -0.1, 0.2, 0.35, grips=True), both_before(p, key, 0.06, -0.02, 0.28, 0.35, grips=True)
    return Take("standing", "hold", (p.look_at_hand(near), p.turned(far, 0.0), p.look_at_hand(far)))


def stand_carry(p: Poser) -> Take:
    """A box between both hands before the belly."""
    key = p.stand(bend=(-4.0, 0.0, 0.0))
    low, high = both_before(p, key, 0.19, -0.27, 0.24, 0.15, grips=True), both_before(p, key, 0.19, -0.2, 0.26, 0.15, grips=True)
    return Take("standing", "carry", (p.turned(low, 0.0), p.look_at_hand(high, 0.7), p.turned(low, -20.0)))


def stand_drink(p: Poser) -> Take:
    """A cup goes from the breast to the mouth and back."""
    key = p.stand()
    return drinking(p, key, hold_at_chest(p, key, -0.1, 0.22, 0.08), "standing", 0.0)


def stand_eat(p: Poser) -> Take:
    """A bite at the mouth."""
    key = p.stand()
    held, bite = p.with_hands(key, hold_at_chest(p, key, 0.0, 0.2, 0.05)), p.with_hands(key, at_mouth(p, key, 0.03, -0.04, 0.055))
    return Take("standing", "eat", (p.look_at_hand(held), p.turned(bite, 0.0, 6.0), p.turned(bite, 0.0), p.turned(held, -15.0)))


def stand_phone_ear(p: Poser) -> Take:
    """A telephone at the ear."""
    keys = [p.turned(p.stand(bend=(0.0, yaw / 3, 0.0)), yaw, pitch) for yaw, pitch in ((15.0, 0.0), (-15.0, 4.0), (5.0, 12.0))]
    return Take("standing", "phone", tuple(p.with_hands(key, at_ear(p, key)) for key in keys))


def stand_phone(p: Poser) -> Take:
    """Looks down at a telephone, up once."""
    key = p.stand(bend=(5.0, 0.0, 0.0))
    return Take(
        "standing",
        "phone",
        (phone_before(p, key, -0.03), phone_before(p, key, 0.02), p.turned(phone_before(p, key, -0.03, look=False), 25.0)),
    )


def stand_read(p: Poser) -> Take:
    """A book in both hands."""
    key = p.stand(bend=(3.0, 0.0, 0.0))
    return Take("standing", "read", (reading_hands(p, key), reading_hands(p, key, -0.07, 0.25), p.turned(reading_hands(p, key), -30.0)))


def stand_wipe(p: Poser) -> Take:
    """A cloth goes to and fro on a table."""
    key = p.stand(bend=(30.0, 0.0, 0.0), wide=0.06)
    shoulder = p.marks(key).shoulders_H3[p.side]
    keys = []
    for x, z in ((0.2, 0.24), (-0.12, 0.3), (0.22, 0.34), (-0.1, 0.24)):
        palm = np.array([p.at(p.side, shoulder, x, 0, 0)[0], TABLE_M + 0.035, shoulder[2] + z * p.s])
        hand = p.hand(p.side, palm, (-0.3, -0.1, 1.0), DOWN, (0.9, -0.4, -0.3), 0.12, True)
        keys.append(p.look_at_hand(p.with_hands(p.leaning_to(key, palm), hand)))
    return Take("standing", "wipe", tuple(keys))


def stand_lean(p: Poser) -> Take:
    """Both hands on a table, the trunk bent over it."""
    key = p.stand(bend=(26.0, 0.0, 0.0), wide=0.08)
    hands = on_table(p, key, 0.36, 0.24, 0.03, 0.1)
    key = p.with_hands(key, *hands)
    return Take("standing", "lean", (p.turned(key, 0.0, 35.0), p.turned(key, 30.0, 5.0), p.turned(key, -20.0, 15.0)))


def stand_sweep(p: Poser) -> Take:
    """Both hands on a stick before the body, as with a broom or a vacuum's tube."""
    keys = []
    for x in (0.12, -0.1, 0.16):
        key = p.stand(bend=(14.0, 25.0 * x, 0.0), wide=0.1)
        chest = p.marks(key).chest
        upper = p.hand(p.side, chest + p.v(x * 0.4, -0.04, 0.24), (-0.7, 0.2, 0.6), (-0.2, -0.6, -0.7), curl=0.7, grips=True)
        lower = p.hand(1 - p.side, chest + p.v(x, -0.28, 0.3), (-0.6, -0.2, 0.7), (-0.5, 0.5, -0.6), curl=0.7, grips=True)
        hands = (upper, lower) if p.side == 0 else (lower, upper)
        keys.append(p.turned(p.with_hands(key, *hands), 60.0 * x, 35.0))
    return Take("standing", "sweep", tuple(keys))


def stand_jump(p: Poser) -> Take:
    """Bends its knees, jumps with the arms up and wide."""
    low, up = p.stand(bend=(18.0, 0.0, 0.0), wide=0.1, down=0.16 * p.s), p.stand(wide=0.3)
    raised = up.pelvis + p.v(0.0, 0.24, 0.0)
    feet = [type(foot)(foot.ankle + p.v(0.0, 0.22, 0.0), foot.knee, foot.yaw, 30.0) for foot in up.feet]
    high = type(up)(raised, up.tilt, up.bend, up.head, up.hands, (feet[0], feet[1]), up.turn)
    shoulders = p.marks(high).shoulders_H3
    arms = [p.hand(i, p.at(i, shoulders[i], 0.4, 0.4, 0.03), (0.7, 0.8, 0.0), (0.2, -0.2, 1.0), (0.8, -0.6, -0.2), 0.1) for i in (0, 1)]
    return Take("standing", "idle", (low, p.with_hands(high, *arms), low))
