"""The table of actions: name -> key frames for one skeleton. Words of `Take.action` are what scenes choose a held thing by.

`one` is the acting hand's side and `other` the other; offsets are metres of a person of 1.75 m.
"""

from collections.abc import Callable

import numpy as np

from model.synth.body_poses import CHAIR_M, TABLE_M, Poser, Take, halfway
from model.synth.body_skeleton import HandKey, Key

Action = Callable[[Poser], Take]
FORWARD = (0.0, 0.1, 1.0)
INWARD = (-1.0, 0.0, 0.0)
DOWN = (-0.15, -1.0, 0.1)


def hold_at_chest(p: Poser, key: Key, up: float = -0.06, ahead: float = 0.24, aside: float = 0.04, *, grips: bool = True) -> HandKey:
    """One hand before the breast as round a cup or bottle."""
    palm = p.at(p.side, p.marks(key).chest, aside, up, ahead)
    return p.hand(p.side, palm, (-0.35, 0.15, 0.95), (-0.95, 0.0, -0.3), (0.6, -1.0, -0.3), 0.55, grips)


def both_before(p: Poser, key: Key, aside: float, up: float, ahead: float, curl: float, *, grips: bool) -> Key:
    """Two hands before the breast with the palms towards each other."""
    chest = p.marks(key).chest
    hands = [
        p.hand(i, p.at(i, chest, aside, up, ahead), (-0.1, 0.05, 1.0), (-1.0, 0.25, 0.0), (0.6, -1.0, -0.3), curl, grips) for i in (0, 1)
    ]
    return p.with_hands(key, *hands)


def at_mouth(p: Poser, key: Key, aside: float = 0.05, up: float = -0.045, ahead: float = 0.06) -> HandKey:
    """A hand that brings something to the mouth."""
    palm = p.at(p.side, p.marks(key).mouth, aside, up, ahead)
    return p.hand(p.side, palm, (-0.45, 0.6, 0.3), (-0.9, -0.1, -0.35), (0.9, -0.8, 0.1), 0.55, True)


def reading_hands(p: Poser, key: Key, up: float = -0.04, ahead: float = 0.27, aside: float = 0.13) -> Key:
    """Two hands that hold an open book or a paper before the breast, palms up and towards the face."""
    chest = p.marks(key).chest
    hands = [
        p.hand(i, p.at(i, chest, aside, up, ahead), (-0.35, 0.55, 0.75), (-0.45, 0.7, -0.55), (0.6, -1.0, -0.2), 0.45, True) for i in (0, 1)
    ]
    return p.look_at(p.with_hands(key, *hands), chest + p.v(0.0, up + 0.06, ahead + 0.02))


def on_knees(p: Poser, key: Key) -> Key:
    """Both palms on the thighs of a sitter."""
    hips = p.marks(key).hips
    hands = [p.hand(i, p.at(i, hips, 0.13, 0.115, 0.33), (-0.15, -0.1, 1.0), (0.0, -1.0, -0.1), (0.9, -0.3, -0.6), 0.15) for i in (0, 1)]
    return p.with_hands(key, *hands)


def on_table(p: Poser, key: Key, ahead: float, aside: float, lift: float = 0.03, curl: float = 0.25) -> list[HandKey]:
    """Palms down on a table, `ahead` of the hips."""
    hips = p.marks(key).hips
    spots = [np.array([p.at(i, hips, aside, 0.0, 0.0)[0], TABLE_M + lift, hips[2] + ahead * p.s]) for i in (0, 1)]
    return [p.hand(i, spots[i], (-0.25, 0.0, 1.0), DOWN, (0.8, -0.6, -0.3), curl) for i in (0, 1)]


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
    grasp = p.with_hands(there, p.hand(p.side, palm, (-0.2, -0.1, 1.0), (-1.0, -0.1, 0.0), (0.7, -0.6, -0.4), 0.45, True))
    lifted = p.with_hands(
        p.stand(bend=(8.0, 0.0, 0.0)), p.hand(p.side, palm + p.v(0.0, 0.16, -0.06), (-0.3, 0.0, 1.0), INWARD, curl=0.55, grips=True)
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


def _drinking(p: Poser, key: Key, low: HandKey, posture: str, seat_m: float) -> Take:
    back = Poser.turned(p, key, 0.0, -10.0)
    at_lips = p.with_hands(back, at_mouth(p, back))
    held = p.with_hands(key, low)
    return Take(posture, "drink", (*halfway(p.look_at_hand(held), at_lips), at_lips, p.turned(held, 10.0)), seat_m)


def stand_drink(p: Poser) -> Take:
    """A cup goes from the breast to the mouth and back."""
    key = p.stand()
    return _drinking(p, key, hold_at_chest(p, key, -0.1, 0.22, 0.08), "standing", 0.0)


def sit_drink(p: Poser) -> Take:
    """The same, sitting."""
    key = on_knees(p, p.sit())
    return _drinking(p, key, hold_at_chest(p, key, -0.14, 0.24, 0.08), "sitting", CHAIR_M)


def stand_eat(p: Poser) -> Take:
    """A bite at the mouth."""
    key = p.stand()
    held, bite = p.with_hands(key, hold_at_chest(p, key, 0.0, 0.2, 0.05)), p.with_hands(key, at_mouth(p, key, 0.03, -0.04, 0.055))
    return Take("standing", "eat", (p.look_at_hand(held), p.turned(bite, 0.0, 6.0), p.turned(bite, 0.0), p.turned(held, -15.0)))


def sit_eat(p: Poser) -> Take:
    """From the table to the mouth."""
    key = p.sit(bend=(10.0, 0.0, 0.0))
    rest = on_table(p, key, 0.34, 0.14)
    key = p.with_hands(key, *rest)
    down = p.with_hands(
        key, p.hand(p.side, rest[p.side].palm + p.v(0.0, 0.05, 0.04), (-0.3, -0.2, 1.0), (-0.8, -0.6, 0.0), curl=0.55, grips=True)
    )
    bite = p.with_hands(key, at_mouth(p, key, 0.03, -0.04, 0.055))
    return Take("sitting", "eat", (*halfway(p.look_at_hand(down), p.turned(bite, 0.0, 8.0)), p.turned(down, 12.0)), CHAIR_M)


def _ear(p: Poser, key: Key) -> HandKey:
    palm = p.at(p.side, p.marks(key).ears_H3[p.side], 0.04, -0.035, 0.025)
    return p.hand(p.side, palm, (-0.15, 1.0, -0.1), (-1.0, -0.1, 0.0), (0.9, -1.0, 0.3), 0.4, True)


def stand_phone_ear(p: Poser) -> Take:
    """A telephone at the ear."""
    keys = [p.turned(p.stand(bend=(0.0, yaw / 3, 0.0)), yaw, pitch) for yaw, pitch in ((15.0, 0.0), (-15.0, 4.0), (5.0, 12.0))]
    return Take("standing", "phone", tuple(p.with_hands(key, _ear(p, key)) for key in keys))


def sit_phone_ear(p: Poser) -> Take:
    """The same, sitting."""
    keys = [p.turned(on_knees(p, p.sit()), yaw, 4.0) for yaw in (20.0, -10.0, 5.0)]
    return Take("sitting", "phone", tuple(p.with_hands(key, _ear(p, key)) for key in keys), CHAIR_M)


def _phone_before(p: Poser, key: Key, up: float, *, look: bool = True) -> Key:
    palm = p.at(p.side, p.marks(key).chest, -0.02, up, 0.26)
    held = p.with_hands(key, p.hand(p.side, palm, (-0.3, 0.75, 0.55), (-0.25, 0.55, -0.8), (0.5, -1.0, -0.2), 0.5, True))
    return p.look_at_hand(held) if look else held


def stand_phone(p: Poser) -> Take:
    """Looks down at a telephone, up once."""
    key = p.stand(bend=(5.0, 0.0, 0.0))
    return Take(
        "standing",
        "phone",
        (_phone_before(p, key, -0.03), _phone_before(p, key, 0.02), p.turned(_phone_before(p, key, -0.03, look=False), 25.0)),
    )


def sit_phone(p: Poser) -> Take:
    """The same, sitting."""
    key = on_knees(p, p.sit(bend=(10.0, 0.0, 0.0)))
    return Take(
        "sitting",
        "phone",
        (_phone_before(p, key, -0.1), _phone_before(p, key, -0.06), p.turned(_phone_before(p, key, -0.1, look=False), -30.0)),
        CHAIR_M,
    )


def stand_read(p: Poser) -> Take:
    """A book in both hands."""
    key = p.stand(bend=(3.0, 0.0, 0.0))
    return Take("standing", "read", (reading_hands(p, key), reading_hands(p, key, -0.07, 0.25), p.turned(reading_hands(p, key), -30.0)))


def sit_read(p: Poser) -> Take:
    """A book in both hands, sitting."""
    key = p.sit(bend=(6.0, 0.0, 0.0))
    return Take("sitting", "read", (reading_hands(p, key, -0.1), reading_hands(p, key, -0.06, 0.25), reading_hands(p, key, -0.12)), CHAIR_M)


def sit_write(p: Poser) -> Take:
    """Types or writes at a table."""
    key = p.sit(bend=(12.0, 0.0, 0.0))
    keys = []
    for ahead, aside in ((0.34, 0.1), (0.37, 0.14), (0.34, 0.07)):
        hands = on_table(p, key, ahead, aside, 0.035, 0.4)
        keys.append(p.look_at_hand(p.with_hands(key, *hands)))
    return Take("sitting", "write", (*keys[:2], p.turned(keys[1], 10.0, 8.0), keys[2]), CHAIR_M)


def stand_wipe(p: Poser) -> Take:
    """A cloth goes to and fro on a table."""
    key = p.stand(bend=(30.0, 0.0, 0.0), wide=0.06)
    shoulder = p.marks(key).shoulders_H3[p.side]
    keys = []
    for x, z in ((0.2, 0.24), (-0.12, 0.3), (0.22, 0.34), (-0.1, 0.24)):
        palm = np.array([p.at(p.side, shoulder, x, 0, 0)[0], TABLE_M + 0.035, shoulder[2] + z * p.s])
        keys.append(p.look_at_hand(p.with_hands(key, p.hand(p.side, palm, (-0.3, -0.1, 1.0), DOWN, (0.9, -0.4, -0.3), 0.12, True))))
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
        lower = p.hand(1 - p.side, chest + p.v(x, -0.34, 0.38), (-0.6, -0.2, 0.7), (-0.5, 0.5, -0.6), curl=0.7, grips=True)
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


def sit_idle(p: Poser) -> Take:
    """Hands on the knees, looks about."""
    key = on_knees(p, p.sit())
    return Take("sitting", "idle", (p.turned(key, 40.0), p.turned(key, 0.0, 10.0), p.turned(key, -45.0)), CHAIR_M)


def sit_gesture(p: Poser) -> Take:
    """Speaks with one hand."""
    key = on_knees(p, p.sit(bend=(-4.0, 0.0, 0.0)))
    chest, keys = p.marks(key).chest, []
    for x, y in ((0.2, -0.1), (0.34, 0.06), (0.22, -0.14)):
        keys.append(p.with_hands(key, p.hand(p.side, p.at(p.side, chest, x, y, 0.26), (0.1, 0.5, 0.9), (-0.7, 0.7, 0.0), curl=0.3)))
    return Take("sitting", "idle", (p.turned(keys[0], 15.0), p.turned(keys[1], -15.0), keys[2]), CHAIR_M)


def sit_hold(p: Poser) -> Take:
    """A thing in one hand above the lap."""
    key = on_knees(p, p.sit())
    low, high = p.with_hands(key, hold_at_chest(p, key, -0.2, 0.24, 0.08)), p.with_hands(key, hold_at_chest(p, key, -0.08, 0.24))
    return Take("sitting", "hold", (p.look_at_hand(low), p.turned(high, -20.0), p.look_at_hand(high)), CHAIR_M)


def sit_reach(p: Poser) -> Take:
    """A hand goes to a thing on a table before the sitter and grasps it."""
    start, there = on_knees(p, p.sit()), on_knees(p, p.sit(bend=(24.0, 0.0, 0.0)))
    shoulder = p.marks(there).shoulders_H3[p.side]
    palm = np.array([shoulder[0], TABLE_M + 0.06, shoulder[2] + 0.42 * p.s])
    grasp = p.with_hands(there, p.hand(p.side, palm, (-0.2, 0.0, 1.0), (-1.0, -0.1, 0.0), (0.8, -0.6, -0.3), 0.45, True))
    return Take("sitting", "reach", (*halfway(p.look_at(start, palm), p.look_at(grasp, palm)), p.look_at(grasp, palm)), CHAIR_M)


def ground_idle(p: Poser) -> Take:
    """On the floor, one leg stretched, hands on the knees."""
    key = p.ground(stretched=True)
    hips = p.marks(key).hips
    hands = [
        p.hand(i, p.at(i, hips, 0.14, 0.22 if i else 0.12, 0.28), (-0.1, 0.1, 1.0), (0.0, -1.0, 0.1), (0.9, -0.4, -0.5), 0.2)
        for i in (0, 1)
    ]
    key = p.with_hands(key, *hands)
    return Take("sitting", "idle", (p.turned(key, 35.0), p.turned(key, 0.0, 20.0), p.turned(key, -40.0)), 0.0)


def ground_hold(p: Poser) -> Take:
    """On the floor, a thing in one hand."""
    key = p.ground(stretched=False)
    hips = p.marks(key).hips
    key = p.with_hands(
        key, *(p.hand(i, p.at(i, hips, 0.2, 0.34, 0.3), (-0.1, 0.1, 1.0), (-0.6, -0.8, 0.0), (0.9, -0.4, -0.5), 0.2) for i in (0, 1))
    )
    held = p.with_hands(key, hold_at_chest(p, key, 0.0, 0.3, 0.08))
    return Take("sitting", "hold", (p.look_at_hand(held), p.turned(held, 25.0), p.turned(held, -25.0)), 0.0)


def ground_read(p: Poser) -> Take:
    """On the floor, a book in both hands."""
    key = p.ground(stretched=True)
    return Take(
        "sitting", "read", (reading_hands(p, key, -0.04), reading_hands(p, key, -0.08), p.turned(reading_hands(p, key, -0.04), 30.0)), 0.0
    )


def _beside(p: Poser, key: Key) -> Key:
    shoulders = p.marks(key).shoulders_H3
    hands = [
        p.hand(i, p.at(i, shoulders[i], 0.16, -0.55, -0.03), (0.0, -1.0, 0.0), (-0.3, 0.0, -1.0), (1.0, 0.0, 0.0), 0.25) for i in (0, 1)
    ]
    return p.with_hands(key, *hands)


def lie_back(p: Poser) -> Take:
    """On the back, hands beside, the head turns."""
    key = _beside(p, p.lie())
    return Take("lying", "idle", (p.turned(key, 35.0), p.turned(key, 0.0, 5.0), p.turned(key, -40.0)))


def lie_read(p: Poser) -> Take:
    """On the back, a book in both hands above the breast."""
    key = p.lie(head=(12.0, 0.0, 0.0))
    return Take(
        "lying",
        "read",
        (reading_hands(p, key, 0.08, 0.3), reading_hands(p, key, 0.04, 0.27), p.turned(reading_hands(p, key, 0.08, 0.3), 30.0)),
    )


def lie_phone(p: Poser) -> Take:
    """On the back, a telephone in one hand above the face."""
    key = _beside(p, p.lie(head=(12.0, 0.0, 0.0)))
    return Take(
        "lying", "phone", (_phone_before(p, key, 0.1), _phone_before(p, key, 0.06), p.turned(_phone_before(p, key, 0.1, look=False), -35.0))
    )


def lie_side(p: Poser) -> Take:
    """On the right side, knees bent, one hand before the face."""
    key = p.lie(roll=-90.0, head=(8.0, 0.0, 0.0))
    shoulders, mouth = p.marks(key).shoulders_H3, p.marks(key).mouth
    lower = p.hand(1, mouth + p.v(-0.06, -0.1, 0.16), (0.0, 0.8, 0.6), (-0.3, 0.2, -0.9), (0.3, -0.7, 0.6), 0.3)
    keys = []
    for y, z in ((-0.36, 0.26), (-0.3, 0.3), (-0.4, 0.22)):
        upper = p.hand(0, shoulders[0] + p.v(-0.12, y, z), (-0.2, -0.3, 1.0), (-1.0, -0.2, 0.0), (0.8, -0.3, -0.3), 0.25)
        keys.append(p.with_hands(key, upper, lower))
    return Take("lying", "idle", (p.turned(keys[0], 0.0, 5.0), p.turned(keys[1], 15.0, 10.0), p.turned(keys[2], 0.0, 5.0)))


def crouch_reach(p: Poser) -> Take:
    """Squats and reaches to the floor."""
    key = p.crouch()
    shoulder = p.marks(key).shoulders_H3[p.side]
    knee = p.marks(key).hips + p.v(0.16 * (1 if p.side else -1), 0.16, 0.36)
    key = p.with_hands(
        key, *(p.hand(i, knee * [1, 1, 1] if i != p.side else key.hands[i].palm, (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)) for i in (0, 1))
    )
    low = np.array([shoulder[0], 0.09, shoulder[2] + 0.2 * p.s])
    grasp = p.with_hands(key, p.hand(p.side, low, (-0.2, -0.7, 0.7), (-0.9, -0.3, 0.0), (0.9, -0.2, -0.5), 0.45, True))
    before = p.with_hands(key, p.hand(p.side, low + p.v(0.0, 0.22, -0.08), (-0.2, -0.5, 0.8), (-0.9, -0.3, 0.0), (0.9, -0.2, -0.5), 0.25))
    return Take("other", "reach", (p.look_at_hand(before), p.look_at_hand(grasp), p.look_at_hand(grasp), p.turned(before, 20.0)))


ACTIONS: dict[str, Action] = {
    function.__name__: function
    for function in (
        stand_idle, stand_gesture, stand_spread, stand_wave, stand_hips, stand_reach, stand_grasp, stand_hold, stand_hold_both, stand_carry,
        stand_drink, stand_eat, stand_phone_ear, stand_phone, stand_read, stand_wipe, stand_lean, stand_sweep, stand_jump,
        sit_idle, sit_gesture, sit_hold, sit_drink, sit_eat, sit_reach, sit_read, sit_write, sit_phone, sit_phone_ear,
        ground_idle, ground_hold, ground_read, lie_back, lie_read, lie_phone, lie_side, crouch_reach,
    )
}  # fmt: skip
