"""A tiny `base` that sees people and things although nothing was trained: its prototypes are what its own queries answer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.base.cost import new_network
from model.base.network import Base
from model.text import Prototypes, load_prototypes
from tests.model.base.tiny import TINY

NUM_SURE = 12


def lively_network(images_BHW3: Tensor, seed: int = 0) -> tuple[Base, Prototypes]:
    """A random network whose queries differ, and prototypes that it is sure of."""
    torch.manual_seed(seed)
    network = new_network(TINY)
    enliven(network)
    return network, answered_prototypes(network, images_BHW3)


@torch.no_grad()
def enliven(network: Base) -> None:
    """Spread the queries, their boxes and their scores."""
    decoder = network.detector.decoder
    decoder.scale.fill_(12.0)
    decoder.bias.fill_(-9.0)
    decoder.start.mul_(100.0)
    last = decoder.box[-1]
    assert isinstance(last, nn.Linear)
    last.weight.mul_(8.0)


@torch.no_grad()
def answered_prototypes(network: Base, images_BHW3: Tensor) -> Prototypes:
    """The first classes (person is the first) are each the answer of one query to the first image, less and less sure."""
    decoder, prototypes = network.detector.decoder, load_prototypes(TINY.dim)
    found = decoder(network.detector.image(images_BHW3[:1]), prototypes.objects_CD)
    names_QD = F.normalize(decoder.name(found.queries_BQD[0]), dim=1)
    sure_CD = names_QD[:NUM_SURE] * torch.linspace(1.0, 0.8, NUM_SURE)[:, None]
    return Prototypes(torch.cat([sure_CD, prototypes.objects_CD[NUM_SURE:]]), prototypes.predicates_KD)
