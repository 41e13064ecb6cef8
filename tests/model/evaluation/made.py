"""Small frames by hand for the tests of metrics: a person, a cup in the hand, a bed."""

import numpy as np

from model.annotations import Entity, Frame, Relation
from model.evaluation.eval_set import NUM_CUES, EvalSet, Things
from model.evaluation.frames import NUM_PREDICATES, OBJECT_INDEX, PREDICATE_INDEX, PredictedFrame, TruthFrame, predicted_of, truth_of

PERSON_BOX = (0.1, 0.1, 0.3, 0.9)
CUP_BOX = (0.5, 0.5, 0.6, 0.6)
BED_BOX = (0.0, 0.7, 1.0, 1.0)
FAR_BOX = (0.8, 0.0, 0.9, 0.1)

HOLDING = [(0, "looking_at", 1), (1, "in_front_of", 0), (0, "holding", 1)]


def truth(relations: list[tuple[int, str, int]], labels: tuple[str, ...] = ("person", "cup", "bed")) -> TruthFrame:
    """Entities 0 person, 1 cup, 2 bed at their boxes."""
    entities = tuple(Entity(row, label, box) for row, (label, box) in enumerate(zip(labels, (PERSON_BOX, CUP_BOX, BED_BOX), strict=False)))
    return truth_of(Frame(0, 0.0, entities, tuple(Relation(*one) for one in relations)))


def predicted(
    rows: list[tuple[int, int, dict[str, float]]],
    entities: tuple[tuple[str, tuple[float, float, float, float], float], ...] = (
        ("person", PERSON_BOX, 1.0), ("cup", CUP_BOX, 1.0), ("bed", BED_BOX, 1.0),
    ),
) -> PredictedFrame:  # fmt: skip
    """Rows of (subject, object, probabilities), as a network gives them: groups may be mixed."""
    probs_RK = np.zeros((len(rows), NUM_PREDICATES))
    for row, (_, _, probs) in enumerate(rows):
        for name, prob in probs.items():
            probs_RK[row, PREDICATE_INDEX[name]] = prob
    pairs_R2 = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    boxes_N4 = np.array([box for _, box, _ in entities]).reshape(-1, 4)
    classes_N = np.array([OBJECT_INDEX[label] for label, _, _ in entities], np.int64)
    return predicted_of(boxes_N4, classes_N, np.array([score for _, _, score in entities]), pairs_R2, probs_RK)


def things(truth_: TruthFrame, score: float = 0.8) -> Things:
    """What an image tower would say of the true things, were it right."""
    count = len(truth_.ids_N)
    probs_NC = np.zeros((count, len(OBJECT_INDEX)), np.float32)
    probs_NC[np.arange(count), truth_.classes_N] = score
    cues_NV = np.zeros((count, NUM_CUES), np.float32)
    return Things(truth_.boxes_N4.astype(np.float32), np.full(count, score, np.float32), probs_NC, cues_NV)


def eval_set(lengths: tuple[int, ...] = (3, 2), name: str = "synth-home-test", tower: str = "t0") -> EvalSet:
    """Clips of a person with a cup, moving a little; the first frame of each is not judged."""
    truths, clips, times = [], [], []
    for clip, length in enumerate(lengths):
        for step in range(length):
            base = truth(HOLDING)
            shift_4 = 0.02 * step + 0.01 * clip
            truths.append(TruthFrame(np.minimum(base.boxes_N4 + shift_4, 1.0), base.classes_N, base.ids_N, base.triplets_T3))
            clips.append(clip)
            times.append(0.2 * step)
    judged_F = np.array(times) > 0
    empty = TruthFrame(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.int64))
    return EvalSet(
        name=name,
        tower=tower,
        clips=tuple(f"clip-{clip}" for clip in range(len(lengths))),
        clip_F=np.array(clips),
        time_F=np.array(times),
        aspect_F=np.full(len(clips), 1.75),
        judged_F=judged_F,
        truths=tuple(one if judged else empty for one, judged in zip(truths, judged_F, strict=True)),
        found=tuple(things(one) for one in truths),
        given=tuple(things(one if judged else empty, 0.6) for one, judged in zip(truths, judged_F, strict=True)),
    )
