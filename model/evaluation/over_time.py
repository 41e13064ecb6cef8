"""What only shows over time: identities that hold, edges that flicker, how late and how long wrong. Pure numpy and scipy.

Both sides are lists of the same moments with entity ids that last: truth, and what a product publishes. Entities are matched frame by
frame at IoU >= .5 within a class; an edge is followed by the true ids of its ends (its own where they match nothing true).

N entities, M true entities, E edges (subject id, predicate, object id), F moments, U different edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from model.evaluation.frames import NUM_PREDICATES, Bool, Float, Int, pairwise_iou
from model.evaluation.recall import MIN_IOU

UNKNOWN = 1_000_000
"""Added to a published id that matches nothing true."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of one stream: lasting ids (0 .. 999,999) with boxes and classes, and the edges between them."""

    time_s: float
    boxes_N4: Float
    classes_N: Int
    ids_N: Int
    edges_E3: Int

    def __post_init__(self) -> None:
        if not np.isin(self.edges_E3[:, [0, 2]], self.ids_N).all():
            raise ValueError(
                f"at {self.time_s} s an edge names an entity that is not there: edges {self.edges_E3.tolist()}, ids {self.ids_N.tolist()}"
            )


class Identities(msgspec.Struct, frozen=True):
    """Switches: a true entity gets another id than it last had. Duplicates: entities on a true one that another has already taken."""

    true: int
    tracked: int
    switches: int
    idf1: float
    duplicate_rate: float


class Edges(msgspec.Struct, frozen=True):
    """Flicker is state changes published per true change, 1 at best; delays are of the true spells that were found at all."""

    true_changes: int
    published_changes: int
    flicker: float
    spells: int
    found: int
    delay_median_s: float
    delay_p95_s: float
    false_edge_minutes_per_hour: float


@dataclass(frozen=True, slots=True)
class _Pairing:
    """One moment's published entities by rows of true ones (-1 none), and which of them only repeat a taken one."""

    true_row_N: Int
    is_duplicate_N: Bool


def identities(streams: Sequence[tuple[Sequence[Moment], Sequence[Moment]]], group_C: Int) -> Identities:
    """Over streams, each a pair of truth and published moments."""
    totals = np.zeros(5, np.int64)
    for truth, published in streams:
        pairings = _pair(truth, published, group_C)
        seen = sum(len(moment.ids_N) for moment in truth), sum(len(moment.ids_N) for moment in published)
        duplicates = sum(int(pairing.is_duplicate_N.sum()) for pairing in pairings)
        totals += np.array([*seen, _switches(truth, published, pairings), _best_id_matches(truth, published, pairings), duplicates])
    true, tracked, switches, kept, repeated = (int(total) for total in totals)
    return Identities(true, tracked, switches, 2 * kept / max(true + tracked, 1), repeated / max(tracked, 1))


def edges(streams: Sequence[tuple[Sequence[Moment], Sequence[Moment]]], group_C: Int) -> Edges:
    """Over streams, each a pair of truth and published moments. An edge that holds at a stream's start counts as one change there."""
    changes, delays, spells, false_s, total_s = np.zeros(2, np.int64), [np.zeros(0)], 0, 0.0, 0.0
    for truth, published in streams:
        times_F, lasting_F = _clock(truth)
        true_FU, said_FU = _states(truth, published, _pair(truth, published, group_C))
        changes += np.array([_count_changes(true_FU), _count_changes(said_FU)])
        late_S = _delays(true_FU, said_FU, times_F, lasting_F)
        spells += len(late_S)
        delays.append(late_S[np.isfinite(late_S)])
        false_s += float((said_FU & ~true_FU).sum(1) @ lasting_F)
        total_s += float(lasting_F.sum())
    delay_S = np.concatenate(delays)
    median_s, p95_s = np.quantile(delay_S, [0.5, 0.95]) if len(delay_S) else (np.nan, np.nan)
    return Edges(
        true_changes=int(changes[0]),
        published_changes=int(changes[1]),
        flicker=float(changes[1] / max(changes[0], 1)),
        spells=spells,
        found=len(delay_S),
        delay_median_s=float(median_s),
        delay_p95_s=float(p95_s),
        false_edge_minutes_per_hour=60.0 * false_s / max(total_s, 1e-9),
    )


def _pair(truth: Sequence[Moment], published: Sequence[Moment], group_C: Int) -> list[_Pairing]:
    """Match moment by moment; a pair that fitted a moment ago stays while it fits (as CLEAR MOT does)."""
    if len(truth) != len(published):
        raise ValueError(f"truth has {len(truth)} moments and what was published {len(published)}, expected the same ones")
    pairings: list[_Pairing] = []
    last: dict[int, int] = {}
    for true, said in zip(truth, published, strict=True):
        same_NM = group_C[said.classes_N][:, None] == group_C[true.classes_N]
        iou_NM = pairwise_iou(said.boxes_N4, true.boxes_N4) * same_NM
        kept_NM = said.ids_N[:, None] == np.array([last.get(id_, -1) for id_ in true.ids_N.tolist()], np.int64)
        fits_NM = iou_NM >= MIN_IOU
        row_P, column_P = linear_sum_assignment(fits_NM * (iou_NM + 10.0 * kept_NM), maximize=True)
        good_P = fits_NM[row_P, column_P]
        true_row_N = np.full(len(said.ids_N), -1)
        true_row_N[row_P[good_P]] = column_P[good_P]
        pairings.append(_Pairing(true_row_N, fits_NM.any(1) & (true_row_N < 0)))
        last |= dict(zip(true.ids_N[column_P[good_P]].tolist(), said.ids_N[row_P[good_P]].tolist(), strict=True))
    return pairings


def _switches(truth: Sequence[Moment], published: Sequence[Moment], pairings: Sequence[_Pairing]) -> int:
    true_P, said_P = _matched_ids(truth, published, pairings)
    order_P = np.argsort(true_P, kind="stable")
    same_true = true_P[order_P][1:] == true_P[order_P][:-1]
    return int((same_true & (said_P[order_P][1:] != said_P[order_P][:-1])).sum())


def _best_id_matches(truth: Sequence[Moment], published: Sequence[Moment], pairings: Sequence[_Pairing]) -> int:
    """IDTP: matched entities under the one-to-one assignment of true to published ids that keeps most of them (Ristani et al. 2016)."""
    true_P, said_P = _matched_ids(truth, published, pairings)
    if not len(true_P):
        return 0
    true_ids, true_row_P = np.unique(true_P, return_inverse=True)
    said_ids, said_row_P = np.unique(said_P, return_inverse=True)
    together = np.zeros((len(true_ids), len(said_ids)))
    np.add.at(together, (true_row_P, said_row_P), 1.0)
    return int(together[linear_sum_assignment(together, maximize=True)].sum())


def _matched_ids(truth: Sequence[Moment], published: Sequence[Moment], pairings: Sequence[_Pairing]) -> tuple[Int, Int]:
    """True and published ids of all matched entities, moment by moment."""
    rows = [pairing.true_row_N >= 0 for pairing in pairings]
    true = [moment.ids_N[pairing.true_row_N[at_N]] for moment, pairing, at_N in zip(truth, pairings, rows, strict=True)]
    said = [moment.ids_N[at_N] for moment, at_N in zip(published, rows, strict=True)]
    return np.concatenate([np.zeros(0, np.int64), *true]), np.concatenate([np.zeros(0, np.int64), *said])


def _states(truth: Sequence[Moment], published: Sequence[Moment], pairings: Sequence[_Pairing]) -> tuple[Bool, Bool]:
    """(F, U) twice: when each edge holds, and when it is published; edges are the union of both sides."""
    true = [_keys(moment.edges_E3) for moment in truth]
    said = [
        _keys(_renamed(moment.edges_E3, published_.ids_N, moment_true.ids_N, pairing))
        for moment, published_, moment_true, pairing in zip(published, published, truth, pairings, strict=True)
    ]
    frame_E = np.concatenate([np.full(len(keys), frame) for side in (true, said) for frame, keys in enumerate(side)])
    side_E = np.repeat([0, 1], [sum(map(len, true)), sum(map(len, said))])
    names, edge_E = np.unique(np.concatenate([*true, *said]), return_inverse=True)
    states = np.zeros((2, len(truth), len(names)), bool)
    states[side_E, frame_E.astype(np.int64), edge_E] = True
    return states[0], states[1]


def _renamed(edges_E3: Int, ids_N: Int, true_ids_M: Int, pairing: _Pairing) -> Int:
    """Published edges with true ids where their ends match something true."""
    matched_N = pairing.true_row_N >= 0
    name_N = ids_N + UNKNOWN
    name_N[matched_N] = true_ids_M[pairing.true_row_N[matched_N]]
    order_N = np.argsort(ids_N)
    rows_E2 = order_N[np.searchsorted(ids_N[order_N], edges_E3[:, [0, 2]])] if len(ids_N) else edges_E3[:, [0, 2]]
    return np.stack([name_N[rows_E2[:, 0]], edges_E3[:, 1], name_N[rows_E2[:, 1]]], 1)


def _keys(edges_E3: Int) -> Int:
    """One number per edge."""
    return (edges_E3[:, 0] * NUM_PREDICATES + edges_E3[:, 1]) * (2 * UNKNOWN) + edges_E3[:, 2]


def _clock(truth: Sequence[Moment]) -> tuple[Float, Float]:
    """When each moment is and how long it stands for: until the next; the last as long as the one before."""
    times_F = np.array([moment.time_s for moment in truth])
    steps = np.diff(times_F)
    return times_F, np.append(steps, steps[-1] if len(steps) else 1.0)


def _count_changes(state_FU: Bool) -> int:
    before_FU = np.zeros_like(state_FU)
    before_FU[1:] = state_FU[:-1]
    return int((state_FU != before_FU).sum())


def _delays(true_FU: Bool, said_FU: Bool, times_F: Float, lasting_F: Float) -> Float:
    """(S): for every spell of a true edge, seconds from its start until it is published; infinite where it never is."""
    padded_FU = np.pad(true_FU, ((1, 1), (0, 0)))
    start_S, own_S = np.nonzero((padded_FU[1:] & ~padded_FU[:-1]).T)[::-1]
    end_S, _ = np.nonzero((padded_FU[:-1] & ~padded_FU[1:]).T)[::-1]
    frame_FU = np.where(said_FU, np.arange(len(times_F))[:, None], len(times_F))
    next_FU = np.minimum.accumulate(frame_FU[::-1], 0)[::-1]
    first_S = next_FU[start_S, own_S]
    until_F = np.append(times_F, times_F[-1] + lasting_F[-1]) if len(times_F) else np.zeros(1)
    late_S: Float = np.where(first_S < end_S, until_F[first_S] - until_F[start_S], np.inf)
    return late_S
