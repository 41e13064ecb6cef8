"""What reviewers say of published relations, with what the linear head needs to learn from it: one JSON object a line.

    {"embedding": [128 numbers], "predicate": "holding", "holds": false, "offset": -0.3}

`embedding` is the pair's unit vector (Relations.embeddings_BQD). `offset` is what the head adds to the predicate's own logit before
the sigmoid that gives its probability: the prior shift, and for a predicate of a softmax group minus the log-sum-exp of the others;
0 when left out.
X pairs, K predicates, Q proposed pairs.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from model.losses import pair_targets
from model.rollout import ClipSource, draw_batch, empty_state, unroll
from model.scene_head import FIRST_SPATIAL, SUPPORT, Relations, SceneHead
from model.text import Prototypes
from model.vocabulary import MODERATION_V1

CLIPS_AT_A_TIME = 32


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
    """One reviewer's answer to "does this hold?"."""

    embedding: tuple[float, ...]
    predicate: str
    holds: bool
    offset: float = 0.0


def read_verdicts(path: Path, dim: int) -> list[Verdict]:
    """All lines of a file. Raises ValueError that names the line, what came and what was expected."""
    verdicts = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            verdict = msgspec.json.decode(line, type=Verdict)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}, line {number} is no verdict: {error}") from error
        if verdict.predicate not in MODERATION_V1.predicates:
            raise ValueError(f"{path}, line {number}: {verdict.predicate!r} is no predicate of {MODERATION_V1.name}")
        if len(verdict.embedding) != dim:
            raise ValueError(f"{path}, line {number}: an embedding of {len(verdict.embedding)} numbers, expected {dim}")
        verdicts.append(verdict)
    if not verdicts:
        raise ValueError(f"{path} holds no verdict")
    return verdicts


def write_verdicts(path: Path, verdicts: Iterable[Verdict]) -> None:
    """One line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(verdict) + b"\n" for verdict in verdicts))


def offsets(logits_XK: Tensor, shift_XK: Tensor) -> Tensor:
    """What lies between each predicate's own linear logit and the log-odds of its probability (X, K)."""
    offset_XK = shift_XK.clone()
    shifted_XK = logits_XK + shift_XK
    zero_X1 = torch.zeros_like(logits_XK[:, :1])
    for group, rest in ((list(range(FIRST_SPATIAL)), None), (SUPPORT, zero_X1)):
        for row in group:
            others = [shifted_XK[:, other : other + 1] for other in group if other != row] + ([] if rest is None else [rest])
            offset_XK[:, row] -= torch.cat(others, 1).logsumexp(1)
    return offset_XK


@torch.no_grad()
def collect(head: SceneHead, prototypes: Prototypes, source: ClipSource, thresholds: dict[str, float]) -> list[Verdict]:
    """What a reviewer who knows the truth says of everything that a head reports at its thresholds in annotated clips."""
    generator, verdicts = torch.Generator().manual_seed(0), []
    for rows_B in source.batches(CLIPS_AT_A_TIME, None):
        batch = draw_batch(source, rows_B, empty_state(head, len(rows_B)), 0.0, generator)
        for found, clip in zip(unroll(head, prototypes, batch)[0], batch.frames, strict=True):
            targets = pair_targets(clip.targets, found)
            verdicts += _reported(head, found, targets.labels_BQK, targets.known_BQ > 0, thresholds)
    return verdicts


def _reported(
    head: SceneHead, found: Relations, labels_BQK: Tensor, known_BQ: Tensor, thresholds: dict[str, float]
) -> list[Verdict]:  # fmt: skip
    probs_XK, labels_XK = head.probabilities(found)[known_BQ], labels_BQK[known_BQ]
    offset_XK = offsets(found.logits_BQK[known_BQ], (found.thing_class_BQC @ head.shift_CK)[known_BQ])
    embeddings_XD = found.embeddings_BQD[known_BQ]
    out = []
    for name, threshold in thresholds.items():
        row = MODERATION_V1.predicates.index(name)
        for index in torch.nonzero(probs_XK[:, row] >= threshold)[:, 0].tolist():
            holds, offset = bool(labels_XK[index, row] > 0), float(offset_XK[index, row])
            out.append(Verdict(tuple(embeddings_XD[index].tolist()), name, holds, offset))
    return out
