"""What ProxVP may claim at a moment, measured: the head's certificate, and mu over rho of the inner problem at the centre."""

import torch
from msgspec import Struct

from model.proxvp.convex import certificate
from model.proxvp.lanczos import hessian_extremes
from model.proxvp.methods import AdamW
from model.proxvp.proxvp import HEAD_WEIGHTS, ProxVP, batch_cells
from model.rollout import Batch

LANCZOS_STEPS = 10


class Diagnosis(Struct, frozen=True):
    """`certificate_nats`: how far W can be from optimal on the probe pairs. `rho`, `sharpness`: Ritz values of the inner loss's Hessian."""

    epoch: int
    certificate_nats: float
    rho: float
    sharpness: float
    residual: float
    mu: float

    @property
    def mu_over_rho(self) -> float:
        """Above 1 the inner problem is strongly convex there."""
        return self.mu / self.rho if self.rho > 0 else float("inf")


def diagnose(method: AdamW, batch: Batch, epoch: int) -> Diagnosis | None:
    """Measure on one fixed batch; other methods than ProxVP have nothing to claim."""
    if not isinstance(method, ProxVP):
        return None
    centre = method.centre
    parameters = [one for name, one in centre.named_parameters() if name not in HEAD_WEIGHTS]
    generator = torch.Generator().manual_seed(0)
    found = hessian_extremes(lambda: method.loss(centre, batch)[0], parameters, LANCZOS_STEPS, generator)
    gap = certificate(method.weights_KE, batch_cells(centre, method.prototypes, batch), method.ridge)
    return Diagnosis(epoch, gap, found.rho, found.high, found.residual, method.settings.mu)


def say(found: Diagnosis) -> str:
    """One line for people."""
    head = f"head within {found.certificate_nats:.3g} nats of its optimum on the probe"
    return f"{head}; rho {found.rho:.3g}, mu/rho {found.mu_over_rho:.3g}, sharpness {found.sharpness:.3g} (residual {found.residual:.2g})"
