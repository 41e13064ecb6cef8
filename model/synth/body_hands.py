"""Where hands go in actions of several postures: before the breast, at the mouth and ear, on knees and tables, round books and phones.

Offsets are metres of a person of 1.75 m.
"""

import numpy as np

from model.synth.body_poses import TABLE_M, Poser, Take, halfway
from model.synth.body_skeleton import HandKey, Key

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


def drinking(p: Poser, key: Key, low: HandKey, posture: str, seat_m: float) -> Take:
    """A cup goes from `low` to the mouth, stays a moment, and back."""
    back = Poser.turned(p, key, 0.0, -10.0)
    at_lips = p.with_hands(back, at_mouth(p, back))
    held = p.with_hands(key, low)
    return Take(posture, "drink", (*halfway(p.look_at_hand(held), at_lips), at_lips, p.turned(held, 10.0)), seat_m)


def at_ear(p: Poser, key: Key) -> HandKey:
    """A telephone at the ear."""
    palm = p.at(p.side, p.marks(key).ears_H3[p.side], 0.04, -0.035, 0.025)
    return p.hand(p.side, palm, (-0.15, 1.0, -0.1), (-1.0, -0.1, 0.0), (0.9, -1.0, 0.3), 0.4, True)


def phone_before(p: Poser, key: Key, up: float, *, look: bool = True) -> Key:
    palm = p.at(p.side, p.marks(key).chest, -0.02, up, 0.26)
    held = p.with_hands(key, p.hand(p.side, palm, (-0.3, 0.75, 0.55), (-0.25, 0.55, -0.8), (0.5, -1.0, -0.2), 0.5, True))
    return p.look_at_hand(held) if look else held
