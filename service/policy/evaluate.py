"""Policies against one graph after another: what holds now, for how long. Pure: no clock, no Redis.

One rule on a graph of 30 nodes and 60 edges takes some microseconds. State is bounded: the newest 128 traces are stored.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from service.errors import StateError
from service.policy.compile import MAX_MATCHES, Past, compiled
from service.policy.rules import Excuse, Policy, PolicySet
from service.policy.traces import EPSILON_S, FLICKER_S, Trace, Traces
from service.policy.view import Check, Ids, Match, Polygon, View
from service.types import Severity, TrackedGraph, Violation

__all__ = ["PolicyEvaluator", "Polygon"]
MAX_STORED = 128


@dataclass(frozen=True, slots=True)
class _Program:
    """One compiled policy with its past; `past.traces[0]` are the timers of its matches."""

    policy: Policy
    fingerprint: bytes
    check: Check
    excuse: Check | None
    past: Past

    @property
    def timers(self) -> Traces:
        return self.past.traces[0]


class _Stored(Struct, array_like=True):
    fingerprint: bytes
    traces: list[dict[str, Trace]]


class _State(Struct, array_like=True):
    before_s: float | None
    programs: list[_Stored]


class PolicyEvaluator:
    """The policies of one stream and how long their conditions have held."""

    def __init__(self, policies: PolicySet) -> None:
        self._programs = [_program(policy) for policy in policies.policies]
        self._before_s: float | None = None

    def evaluate(
        self, graph: TrackedGraph, media_s: float, stream_labels: Mapping[str, str], zones: Mapping[str, Polygon]
    ) -> tuple[Violation, ...]:
        """Every policy that is violated at this frame. Frames come in order of media time."""
        view = View(graph, media_s, self._before_s, zones)
        found: list[Violation] = []
        for program in self._programs:
            if all(stream_labels.get(key) in values for key, values in program.policy.streams.items()):
                found.extend(_violations(program, view))
        self._before_s = media_s
        return tuple(found)

    def replace(self, policies: PolicySet) -> None:
        """Go on with other policies; those that did not change keep their timers."""
        kept = {program.policy.name: program for program in self._programs}
        self._programs = [
            kept[policy.name] if policy.name in kept and kept[policy.name].policy == policy else _program(policy)
            for policy in policies.policies
        ]

    def merged(self, kept: int, merged: int) -> None:
        """Node `merged` was node `kept` all along: its timers become those of `kept`."""
        for program in self._programs:
            for traces in program.past.traces:
                traces.merged(kept, merged)

    def state(self) -> bytes:
        """All timers, bounded: of more than 128 those seen longest ago are left out."""
        last_seen = sorted((trace.last_s for program in self._programs for trace in _all_traces(program)), reverse=True)
        oldest_s = last_seen[MAX_STORED - 1] if len(last_seen) > MAX_STORED else float("-inf")
        stored, room = [], MAX_STORED
        for program in self._programs:
            kept = [{key: trace for key, trace in traces.by_key.items() if trace.last_s >= oldest_s} for traces in program.past.traces]
            room -= sum(len(traces) for traces in kept)
            if any(kept) and room >= 0:
                stored.append(_Stored(program.fingerprint, kept))
        return msgspec.msgpack.encode(_State(self._before_s, stored))

    def restore(self, state: bytes) -> None:
        """Go on from `state()`; timers of unknown or changed policies are left out. StateError when it cannot be read."""
        try:
            read = msgspec.msgpack.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise StateError(f"stored policy timers cannot be read ({error})") from error
        stored = {program.fingerprint: program for program in read.programs}
        for program in self._programs:
            found = stored.get(program.fingerprint)
            if found is not None and len(found.traces) == len(program.past.traces):
                for traces, by_key in zip(program.past.traces, found.traces, strict=True):
                    traces.by_key = dict(by_key)
        self._before_s = read.before_s


def _program(policy: Policy) -> _Program:
    past = Past()
    past.traces.append(Traces(max(policy.within_s or 0.0, FLICKER_S), with_spans=policy.within_s is not None))
    check = compiled(policy.when, past)
    excuse = None if policy.unless is None else _excuse(policy.unless, past)
    fingerprint = hashlib.blake2b(msgspec.msgpack.encode(policy), digest_size=8).digest()
    return _Program(policy, fingerprint, check, excuse, past)


def _excuse(rule: Excuse, past: Past) -> Check:
    """Holds now, or held up to `within_s` ago; only with a thing in common, where both have things."""
    inner = compiled(rule.of, past)
    if rule.within_s == 0:
        return inner
    recent = past.new(keep_s=rule.within_s)

    def observe(view: View) -> None:
        for found in inner(view, None)[:MAX_MATCHES]:
            recent.see(found.key, view.now_s, view.before_s, tuple(sorted(found.anchors)))
        recent.forget(view.now_s)

    def check(view: View, near: Ids | None) -> list[Match]:
        del view
        return [Match(key, "") for key, trace in recent.by_key.items() if not near or not trace.nodes or not near.isdisjoint(trace.nodes)]

    past.observers.append(observe)
    return check


def _violations(program: _Program, view: View) -> list[Violation]:
    for observe in program.past.observers:
        observe(view)
    policy, timers = program.policy, program.timers
    found: list[Violation] = []
    for match in program.check(view, None)[:MAX_MATCHES]:
        if program.excuse is not None and program.excuse(view, match.anchors or None):
            continue
        trace = timers.see(match.key, view.now_s, view.before_s)
        if match.since_s is not None:
            trace.since_s = min(trace.since_s, match.since_s)
        if trace.held_s(policy.within_s) >= policy.for_s - EPSILON_S:
            found.append(_violation(policy, match, trace, view))
    if timers.by_key:
        timers.forget(view.now_s)
    return found


def _violation(policy: Policy, match: Match, trace: Trace, view: View) -> Violation:
    held_s = trace.held_s(policy.within_s)
    ending = f" for {held_s:.1f} s" if policy.within_s is None else f" for {held_s:.1f} s of the last {policy.within_s:g} s"
    return Violation(
        policy=policy.name,
        key=f"{policy.name}/{match.key}",
        severity=_severity(policy, view.now_s - trace.since_s),
        mode=policy.mode,
        cooldown_s=policy.cooldown_s,
        since_media_s=trace.since_s,
        summary=match.says + (ending if held_s >= 0.05 else ""),
        nodes=tuple(view.nodes[node] for node in sorted(match.ids)),
        edges=match.edges,
    )


def _severity(policy: Policy, held_s: float) -> Severity:
    is_late = policy.escalate is not None and held_s >= policy.escalate.after_s
    return policy.escalate.severity if policy.escalate is not None and is_late else policy.severity


def _all_traces(program: _Program) -> list[Trace]:
    return [trace for traces in program.past.traces for trace in traces.by_key.values()]
