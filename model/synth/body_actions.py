"""The table of all actions by name: what `vigil data bodies` bakes."""

from collections.abc import Callable

from model.synth import body_resting as resting
from model.synth import body_standing as standing
from model.synth.body_poses import Poser, Take

Action = Callable[[Poser], Take]

_ALL: tuple[Action, ...] = (
    standing.stand_idle,
    standing.stand_gesture,
    standing.stand_spread,
    standing.stand_wave,
    standing.stand_hips,
    standing.stand_reach,
    standing.stand_grasp,
    standing.stand_hold,
    standing.stand_hold_both,
    standing.stand_carry,
    standing.stand_drink,
    standing.stand_eat,
    standing.stand_phone_ear,
    standing.stand_phone,
    standing.stand_read,
    standing.stand_wipe,
    standing.stand_lean,
    standing.stand_sweep,
    standing.stand_jump,
    resting.sit_drink,
    resting.sit_eat,
    resting.sit_phone_ear,
    resting.sit_phone,
    resting.sit_read,
    resting.sit_write,
    resting.sit_idle,
    resting.sit_gesture,
    resting.sit_hold,
    resting.sit_reach,
    resting.ground_idle,
    resting.ground_hold,
    resting.ground_read,
    resting.lie_back,
    resting.lie_read,
    resting.lie_phone,
    resting.lie_side,
    resting.crouch_reach,
)
ACTIONS: dict[str, Action] = {action.__name__: action for action in _ALL}
