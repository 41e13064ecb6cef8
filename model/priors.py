"""P(predicate | group of classes), for a person and such a thing seen together: one table, stated, not learned. 0 means impossible.

Used twice: cells that are absent are masked, and the odds learned in the box world are moved towards these (`shift`).
Classes of no group (animals, vehicles, floor, doorway ...) are neither masked nor moved.
"""

import torch
from torch import Tensor

from model.vocabulary import ATTENTION, CONTACTING, MODERATION_V1, SPATIAL
from model.world.things import GROUP_OF, INDEX

TABLE = """
seat   sitting_on .35, leaning_on .03, touching .06, standing_on .01, lying_on .03, holding .01, carrying .01
bed    sitting_on .25, lying_on .15, standing_on .1, leaning_on .04, touching .08
table  touching .25, leaning_on .12, sitting_on .01, standing_on .003, wiping .004
ride   sitting_on .35, holding .05, touching .08
board  standing_on .4, holding .15, carrying .08, touching .03
drink  holding .3, drinking_from .04, touching .04, carrying .01, twisting .003
food   holding .22, eating .06, touching .06
tool   holding .3, touching .04
ball   holding .2, touching .05
phone  holding .5, touching .05
book   holding .3, touching .1, writing_on .04, carrying .02
pc     touching .3, holding .06, carrying .03
bulk   holding .25, carrying .2, touching .1, wearing .02
pack   have_it_on_the_back .4, wearing .3, carrying .4, holding .08, touching .06
tie    wearing .9
fix    touching .05, holding .02, leaning_on .02, carrying .01, wiping .005, standing_on .002, sitting_on .002
cover  covered_by .3, holding .1, touching .1, lying_on .05, sitting_on .05, carrying .02, wearing .02
rest   lying_on .08, leaning_on .08, holding .1, touching .1, sitting_on .02, carrying .02
cloth  holding .25, touching .08, wiping .05, carrying .03, covered_by .02, wearing .03
wear   wearing .4, holding .1, touching .06, carrying .03
pet    holding .1, touching .2, carrying .05
car    sitting_on .05, leaning_on .02, touching .03
"""
IN_GROUPS = ("bed", "car")
"""Groups that a person can be `in`."""
LIMIT = 1.5
PRIORS: dict[str, dict[str, float]] = {
    line.split(maxsplit=1)[0]: {cell.split()[0]: float(cell.split()[1]) for cell in line.split(maxsplit=1)[1].split(",")}
    for line in TABLE.strip().splitlines()
}


def allowed() -> Tensor:
    """(C, K): 1 where a predicate can hold with a class, else 0."""
    mask_CK = torch.ones(len(MODERATION_V1.objects), len(MODERATION_V1.predicates))
    first = len(ATTENTION) + len(SPATIAL)
    for name, group in GROUP_OF.items():
        possible = {*PRIORS[group], "not_contacting", "other_relationship"}
        mask_CK[INDEX[name], first:] = torch.tensor([float(predicate in possible) for predicate in CONTACTING])
        mask_CK[INDEX[name], len(ATTENTION) + SPATIAL.index("in")] = float(group in IN_GROUPS)
    return mask_CK


def shift(frequency_CK: Tensor, strength: float) -> Tensor:
    """(C, K): what to add to logits learned at the world's frequencies to move them towards the table's odds, within `LIMIT`."""
    prior_CK = frequency_CK.clone()
    first = len(ATTENTION) + len(SPATIAL)
    for name, group in GROUP_OF.items():
        for predicate, probability in PRIORS[group].items():
            prior_CK[INDEX[name], first + CONTACTING.index(predicate)] = probability
    moved_CK = torch.logit(prior_CK, eps=1e-3) - torch.logit(frequency_CK, eps=1e-3)
    return strength * moved_CK.clamp(-LIMIT, LIMIT)
