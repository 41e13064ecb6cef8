"""The extreme eigenvalues of a loss's Hessian by Lanczos, from Hessian-vector products alone. Knows no network.

Ritz values lie inside the spectrum: the largest is a lower bound of the sharpness, minus the smallest a lower bound of rho.
V all numbers of all parameters in one row.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

TINY = 1e-9


class Extremes(NamedTuple):
    """Smallest and largest Ritz value of a Hessian, and the larger residual of the two: each has an eigenvalue within it."""

    low: float
    high: float
    residual: float

    @property
    def rho(self) -> float:
        """The modulus of weak convexity: how negative the curvature gets."""
        return max(0.0, -self.low)


def hessian_extremes(loss: Callable[[], Tensor], parameters: Sequence[Tensor], steps: int, generator: torch.Generator) -> Extremes:
    """Lanczos with full reorthogonalisation from a random start."""
    return lanczos(hessian_product(loss, parameters), sum(one.numel() for one in parameters), steps, generator, parameters[0].dtype)


def hessian_product(loss: Callable[[], Tensor], parameters: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    """v -> H v, with the graph of the gradient kept between calls."""
    gradients = torch.autograd.grad(loss(), parameters, create_graph=True, allow_unused=True)
    flat_V = _flat(gradients, parameters)

    def product(direction_V: Tensor) -> Tensor:
        return _flat(torch.autograd.grad(flat_V @ direction_V, parameters, retain_graph=True, allow_unused=True), parameters).detach()

    return product


def lanczos(
    product: Callable[[Tensor], Tensor], size: int, steps: int, generator: torch.Generator, dtype: torch.dtype = torch.float32
) -> Extremes:
    """Extreme Ritz values of a symmetric operator after at most `steps` products."""
    vector_V = torch.randn(size, generator=generator).to(dtype)
    basis, diagonal, beside = [vector_V / vector_V.norm()], [], []
    for _ in range(min(steps, size)):
        next_V = product(basis[-1])
        diagonal.append(float(next_V @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):
            next_V = next_V - known.T @ (known @ next_V)
        beside.append(float(next_V.norm()))
        if beside[-1] < TINY:
            break
        basis.append(next_V / beside[-1])
    return _ritz(diagonal, beside)


def _ritz(diagonal: list[float], beside: list[float]) -> Extremes:
    inner = torch.tensor(beside[:-1], dtype=torch.float64)
    small = torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + torch.diag(inner, 1) + torch.diag(inner, -1)
    values, vectors = torch.linalg.eigh(small)
    ends = vectors[-1, [0, -1]].abs().max()
    return Extremes(float(values[0]), float(values[-1]), beside[-1] * float(ends))


def _flat(parts: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Tensor:
    return torch.cat([
        torch.zeros_like(one).flatten() if part is None else part.flatten() for part, one in zip(parts, parameters, strict=True)
    ])  # fmt: skip
