"""What is measured of each variant of the pipeline on a set of watched clips, as a results file keeps it. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from msgspec import Struct

from engines.protocol import EngineSpec
from model.evaluation.frames import Int, class_groups
from model.evaluation.over_time import Edges, Identities, Moment, edges, identities
from model.machine import Machine
from service.cli.eval_tracks_clips import WatchedClip
from service.cli.eval_tracks_variants import (
    ASSOCIATIONS,
    FILTERS,
    SHIPPED,
    Association,
    Filter,
    Followed,
    follow,
    moment_of,
    publish,
    stricter,
)

STRICTNESS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Log-odds by which the thresholds are moved for the curves; 0 is as shipped."""


class Variant(Struct, frozen=True):
    """One pipeline on one set. Truth is compared at judged moments; merges, changes and bytes are of every analysed frame.

    `covered` is the share of the true edges' time in which they are published."""

    identities_by: str
    relations_by: str
    identities: Identities
    edges: Edges
    covered: float
    merges: int
    edge_changes_per_minute: float
    delta_bytes_per_s: float


class Point(Struct, frozen=True):
    """One relation filter with its thresholds moved by so many log-odds."""

    relations_by: str
    log_odds: float
    edges: Edges
    covered: float
    edge_changes_per_minute: float


class SetReport(Struct, frozen=True):
    """One set of clips: counts, a row for each variant, curves."""

    name: str
    clips: int
    looks: int
    judged: int
    minutes: float
    judged_every_s: float
    variants: list[Variant]
    curves: list[Point]


class Report(Struct, frozen=True):
    """What `bench/results/tracks-*.json` holds."""

    machine: Machine
    checkpoint: str
    model_hash: str
    backend: str
    published: list[str]
    class_matching: str
    seconds: float
    sets: list[SetReport]


Streams = list[tuple[Sequence[Moment], Sequence[Moment]]]
"""Truth and what was published, clip by clip."""


class _Outcome(NamedTuple):
    """One variant over all clips."""

    streams: Streams
    edge_changes: int
    delta_bytes: int


def measure(name: str, clips: Sequence[WatchedClip], spec: EngineSpec, tick: Callable[[], object] = lambda: None) -> SetReport:
    """Every variant over every clip; `tick` is called `num_passes` times."""
    variants: list[Variant] = []
    curves: list[Point] = []
    for association in ASSOCIATIONS:
        followed = [follow(clip.looks, spec, association) for clip in clips]
        tick()
        for relation_filter in FILTERS if association.name == SHIPPED else FILTERS[:1]:
            variants.append(_variant(clips, followed, association, relation_filter, spec))
            tick()
        if association.name == SHIPPED:
            for point in _curves(clips, followed, spec):
                curves.append(point)
                tick()
    gaps = [after.time_s - before.time_s for clip in clips for before, after in zip(clip.truth, clip.truth[1:], strict=False)]
    return SetReport(
        name=name,
        clips=len(clips),
        looks=sum(len(clip.looks) for clip in clips),
        judged=sum(len(clip.truth) for clip in clips),
        minutes=_seconds(clips) / 60.0,
        judged_every_s=sum(gaps) / max(len(gaps), 1),
        variants=variants,
        curves=curves,
    )


def num_passes() -> int:
    """How often `measure` goes over the clips."""
    return 2 * len(ASSOCIATIONS) + len(FILTERS) - 1 + len(FILTERS) * len(STRICTNESS)


def _variant(
    clips: Sequence[WatchedClip], followed: Sequence[list[Followed]], association: Association, relation_filter: Filter, spec: EngineSpec
) -> Variant:
    outcome = _outcome(clips, followed, relation_filter, spec)
    group_C, seconds = class_groups(), max(_seconds(clips), 1e-9)
    return Variant(
        identities_by=association.name,
        relations_by=relation_filter.name,
        identities=identities(outcome.streams, group_C),
        edges=edges(outcome.streams, group_C),
        covered=_covered(outcome.streams, group_C),
        merges=sum(len(frame.merges) for frames in followed for frame in frames),
        edge_changes_per_minute=60.0 * outcome.edge_changes / seconds,
        delta_bytes_per_s=outcome.delta_bytes / seconds,
    )


def _curves(clips: Sequence[WatchedClip], followed: Sequence[list[Followed]], spec: EngineSpec) -> Iterator[Point]:
    group_C, minutes = class_groups(), max(_seconds(clips), 1e-9) / 60.0
    for relation_filter in FILTERS:
        for log_odds in STRICTNESS:
            streams, changes, _ = _outcome(clips, followed, relation_filter, stricter(spec, log_odds))
            yield Point(relation_filter.name, log_odds, edges(streams, group_C), _covered(streams, group_C), changes / minutes)


def _outcome(clips: Sequence[WatchedClip], followed: Sequence[list[Followed]], relation_filter: Filter, spec: EngineSpec) -> _Outcome:
    streams: Streams = []
    edge_changes = delta_bytes = 0
    for clip, frames in zip(clips, followed, strict=True):
        said = list(publish(frames, relation_filter.make(spec)))
        streams.append((clip.truth, [moment_of(said[at].graph, true.time_s) for at, true in zip(clip.judged, clip.truth, strict=True)]))
        edge_changes += sum(one.edge_changes for one in said)
        delta_bytes += sum(one.delta_bytes for one in said)
    return _Outcome(streams, edge_changes, delta_bytes)


def _covered(streams: Streams, group_C: Int) -> float:
    """With the sides exchanged, what is false is what was missed."""
    silent = [([replace(moment, edges_E3=moment.edges_E3[:0]) for moment in truth], truth) for truth, _ in streams]
    true = edges(silent, group_C).false_edge_minutes_per_hour
    missed = edges([(said, truth) for truth, said in streams], group_C).false_edge_minutes_per_hour
    return 1.0 - missed / true if true else 0.0


def _seconds(clips: Sequence[WatchedClip]) -> float:
    return sum(clip.duration_s for clip in clips)
