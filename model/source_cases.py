"""What a head says of the clips of a source, as cases for the metrics. Truth is that of reported entities: what no detector reports is
missing on both sides, so that heads are compared, not detectors.

B batch, N entity slots, R rows, K predicates, T triplets, 4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt
import torch

from model.calibrate import WARM_UP_FRAMES
from model.entities import Entities
from model.evaluation.frames import PredictedFrame, TruthFrame, predicted_of
from model.evaluation.recall import Case
from model.rollout import ClipSource, draw_batch, empty_state
from model.samples import Clip
from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, NUM_PAIRS, PERSON, SceneHead
from model.text import Prototypes

JUDGED_AT_ONCE = 128


@torch.no_grad()
def cases_of(head: SceneHead, prototypes: Prototypes, source: ClipSource, *, use_memory: bool) -> Iterator[Case]:
    """Every counted frame of the clips, from the fourth on where there are more, with what a head of 32 pairs says of it."""
    head.num_pairs = NUM_PAIRS
    generator = torch.Generator().manual_seed(0)
    for rows_B in source.batches(JUDGED_AT_ONCE, None):
        batch = draw_batch(source, rows_B, empty_state(head, len(rows_B)), 0.0 if use_memory else 1.0, generator)
        state = batch.start
        for index, (clip, kept_B1) in enumerate(zip(batch.frames, batch.kept_B1, strict=True)):
            said = head(clip.entities, clip.aspect_B, state.memory_BPD, state.counts_BP, clip.dt_B, *prototypes)
            state = state._replace(memory_BPD=said.memory_BPD * kept_B1.unsqueeze(2), counts_BP=said.counts_BP * kept_B1)
            if source.num_frames > WARM_UP_FRAMES > index:
                continue
            pairs_BR2, probs_BRK = said.pairs_BR2.numpy(), said.predicate_probs_BRK.double().numpy()
            for row, number in enumerate(rows_B.tolist()):
                yield Case(number, _truth(clip, row), _predicted(clip.entities, row, pairs_BR2[row], probs_BRK[row]))


def _truth(clip: Clip, row: int) -> TruthFrame:
    """The truth of the reported entities of one frame; a ghost has no class and no relation."""
    real_N, seen_N = clip.targets.real_BN[row], clip.entities.scores_BN[row] > 0
    labels_NNK = clip.targets.labels_BNNK[row]
    people_N = (seen_N & (real_N == PERSON))[: len(labels_NNK)]
    pairs_NN = people_N[:, None] & (seen_N & (real_N > PERSON))[None]
    person_T, thing_T, predicate_T = ((labels_NNK > 0) & pairs_NN.unsqueeze(2)).nonzero(as_tuple=True)
    is_spatial_T = (predicate_T >= FIRST_SPATIAL) & (predicate_T < FIRST_CONTACT)
    subject_T, object_T = torch.where(is_spatial_T, thing_T, person_T), torch.where(is_spatial_T, person_T, thing_T)
    triplets_T3 = torch.stack([subject_T, predicate_T, object_T], 1).numpy()
    return TruthFrame(clip.entities.boxes_BN4[row].double().numpy(), real_N.numpy(), torch.arange(len(real_N)).numpy(), triplets_T3)


def _predicted(entities: Entities, row: int, pairs_R2: npt.NDArray[Any], probs_RK: npt.NDArray[Any]) -> PredictedFrame:
    classes_N = entities.class_probs_BNC[row].argmax(1).numpy()
    return predicted_of(entities.boxes_BN4[row].double().numpy(), classes_N, entities.scores_BN[row].double().numpy(), pairs_R2, probs_RK)
