"""What people do who sit on chairs or the ground, lie or squat, as key frames for one skeleton."""

import numpy as np

from model.synth.body_hands import (
    at_ear,
    at_mouth,
    drinking,
    hold_at_chest,
    on_knees,
    on_table,
    phone_before,
    reading_hands,
)
from model.synth.body_poses import CHAIR_M, TABLE_M, Poser, Take, halfway
from model.synth.body_skeleton import Key


def sit_drink(p: Poser) -> Take:
    """The same, sitting."""
    key = on_knees(p, p.sit())
    return drinking(p, key, hold_at_chest(p, key, -0.14, 0.24, 0.08), "sitting", CHAIR_M)


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


def sit_phone_ear(p: Poser) -> Take:
    """The same, sitting."""
    keys = [p.turned(on_knees(p, p.sit()), yaw, 4.0) for yaw in (20.0, -10.0, 5.0)]
    return Take("sitting", "phone", tuple(p.with_hands(key, at_ear(p, key)) for key in keys), CHAIR_M)


def sit_phone(p: Poser) -> Take:
    """The same, sitting."""
    key = on_knees(p, p.sit(bend=(10.0, 0.0, 0.0)))
    return Take(
        "sitting",
        "phone",
        (phone_before(p, key, -0.1), phone_before(p, key, -0.06), p.turned(phone_before(p, key, -0.1, look=False), -30.0)),
        CHAIR_M,
    )


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
        "lying", "phone", (phone_before(p, key, 0.1), phone_before(p, key, 0.06), p.turned(phone_before(p, key, 0.1, look=False), -35.0))
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
    key = p.with_hands(key, *(p.hand(i, knee if i != p.side else key.hands[i].palm, (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)) for i in (0, 1)))
    low = np.array([shoulder[0], 0.09, shoulder[2] + 0.2 * p.s])
    hand = p.hand(p.side, low, (-0.2, -0.7, 0.7), (-0.9, -0.3, 0.0), (0.9, -0.2, -0.5), 0.45, True)
    grasp = p.with_hands(p.leaning_to(key, low), hand)
    before = p.with_hands(key, p.hand(p.side, low + p.v(0.0, 0.22, -0.08), (-0.2, -0.5, 0.8), (-0.9, -0.3, 0.0), (0.9, -0.2, -0.5), 0.25))
    return Take("other", "reach", (p.look_at_hand(before), p.look_at_hand(grasp), p.look_at_hand(grasp), p.turned(before, 20.0)))
