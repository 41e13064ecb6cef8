"""Trains the cue head on gathered people, and measures it on people it never saw. Every number follows from the seed.

X people, H two hands, G cells of the cue grid.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from model.image_heads.cue_head import COLUMNS, ROWS, CueHead, Look, cell_centres
from model.image_heads.gather import People, flipped

LEARNING_RATE = 5e-3
WEIGHT_DECAY = 0.02
BATCH = 64
SPREAD = 0.06
"""Width of the heat that a palm should leave, in grid sizes."""
NEAR = 0.1
"""A palm counts as found within this share of the region's height."""
FEATURE_NOISE = 0.3
DROPPED_FEATURES = 0.3
MEASURED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class CueFigures:
    """On held-out people: palms found within `NEAR`, and their median error, both of seen hands; the rest as named. `count` people."""

    count: int
    palms_found: float
    palm_error_median: float
    seen_right: float
    contact_right: float
    contact_base_rate: float
    gaze_error_median_deg: float
    face_right: float
    posture_right: float


def fit_cues(people: People, epochs: int, seed: int) -> CueHead:
    """A new head, fitted; half of each batch is mirrored, and features are shaken so that no rendered texture is learned by heart."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    head = CueHead()
    optimiser = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    count = len(people.face_X)
    steps = epochs * math.ceil(count / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps + 1)
    with tqdm(total=steps, desc="cue head", unit="step") as bar:
        for _ in range(epochs):
            for rows_X in torch.randperm(count, generator=generator).split(BATCH):  # type: ignore[no-untyped-call]
                batch = _shaken(People(*(part[rows_X] for part in people)), generator)
                loss = cue_loss(head.look(batch.grids_XFRG, batch.columns_XC), batch)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return head.eval()


def cue_loss(look: Look, people: People) -> Tensor:
    """Heat and place of seen palms, whether they are seen and touch something, gaze where the head is seen, face, posture."""
    seen_XH = people.seen_XH
    num_seen = seen_XH.sum().clamp(min=1.0)
    away_XHG2 = people.palms_XH2.unsqueeze(2) - cell_centres().T
    heat_XHG = torch.softmax(-(away_XHG2 * away_XHG2).sum(3) / (2 * SPREAD * SPREAD), 2)
    heat = (-(heat_XHG * F.log_softmax(look.heat_XHG, 2)).sum(2) * seen_XH).sum() / num_seen
    place = ((look.palms_XH2 - people.palms_XH2).abs().sum(2) * seen_XH).sum() / num_seen
    contact = (F.binary_cross_entropy_with_logits(look.contact_XH, people.contact_XH, reduction="none") * seen_XH).sum() / num_seen
    head = people.head_X.sum().clamp(min=1.0)
    gaze = ((1.0 - (look.gaze_X3 * people.gaze_X3).sum(1)) * people.head_X).sum() / head
    seen = F.binary_cross_entropy_with_logits(look.seen_XH, seen_XH)
    face = F.binary_cross_entropy_with_logits(look.face_X, people.face_X)
    posture = F.cross_entropy(look.posture_X4, people.posture_X, label_smoothing=0.05)
    return 0.5 * heat + 3.0 * place + seen + contact + 2.0 * gaze + face + posture


@torch.no_grad()
def measure_cues(head: CueHead, people: People) -> CueFigures:
    """What the head gets right."""
    starts = range(0, len(people.face_X), MEASURED_AT_ONCE)
    parts = [slice(start, start + MEASURED_AT_ONCE) for start in starts]
    looks = [head.look(people.grids_XFRG[part].float(), people.columns_XC[part]) for part in parts]
    look = Look(*(torch.cat(parts) for parts in zip(*looks, strict=True)))
    seen_XH, head_X = people.seen_XH > 0, people.head_X > 0
    error_XH = ((look.palms_XH2 - people.palms_XH2) * torch.tensor([COLUMNS / ROWS, 1.0])).norm(dim=2)
    error_Y = error_XH[seen_XH]
    contact_Y = people.contact_XH[seen_XH]
    angle_Z = torch.rad2deg((look.gaze_X3 * people.gaze_X3).sum(1).clamp(-1, 1).arccos())[head_X]
    return CueFigures(
        count=len(head_X),
        palms_found=_share(error_Y < NEAR),
        palm_error_median=float(error_Y.median()),
        seen_right=_share((look.seen_XH > 0) == seen_XH),
        contact_right=_share((look.contact_XH[seen_XH] > 0) == (contact_Y > 0)),
        contact_base_rate=float(contact_Y.mean()),
        gaze_error_median_deg=float(angle_Z.median()),
        face_right=_share((look.face_X > 0) == (people.face_X > 0)),
        posture_right=_share(look.posture_X4.argmax(1) == people.posture_X),
    )


def _share(right: Tensor) -> float:
    return float(right.float().mean())


def _shaken(people: People, generator: torch.Generator) -> People:
    """Mirrored half of the time; some feature channels dropped, noise on the rest."""
    if torch.rand((), generator=generator) < 0.5:
        people = flipped(people)
    grids_XFRG = people.grids_XFRG.float()
    kept_XF11 = (torch.rand(*grids_XFRG.shape[:2], 1, 1, generator=generator) >= DROPPED_FEATURES).float()
    scale = grids_XFRG.std()
    return people._replace(grids_XFRG=(grids_XFRG + FEATURE_NOISE * scale * torch.randn(grids_XFRG.shape, generator=generator)) * kept_XF11)
