"""Conditions as plain closures. A closure that needs the past keeps it in Traces, filled once a frame by an observer. Knows no policy."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from service.policy.rules import Absent, All, Condition, Count, Either, Not, Present, Relation, Sequence
from service.policy.traces import BLIND_S, EPSILON_S, FLICKER_S, Traces
from service.policy.view import Check, Ids, Match, View, is_inside
from service.types import Edge, Node

MAX_MATCHES = 32
"""A rule reports at most so many events at once: in a crowd the rest waits."""


@dataclass(slots=True)
class Past:
    """What the conditions of one policy remember; `observers` run in order on every frame, before any check."""

    traces: list[Traces] = field(default_factory=list)
    observers: list[Callable[[View], None]] = field(default_factory=list)

    def new(self, keep_s: float = FLICKER_S) -> Traces:
        """Traces that are stored with the others."""
        self.traces.append(Traces(keep_s))
        return self.traces[-1]


def compiled(condition: Condition, past: Past) -> Check:
    """The closure of a condition; what it must remember goes to `past`."""
    match condition:
        case Relation() | Present() | Count():
            return _leaf(condition)
        case Absent():
            return _absent(condition, past)
        case All():
            return _all(condition, past)
        case Either():
            return _either([compiled(part, past) for part in condition.of])
        case Not():
            return _not(compiled(condition.of, past))
        case Sequence():
            return _sequence(condition, past)


def _leaf(condition: Relation | Present | Count) -> Check:
    if isinstance(condition, Relation):
        return _relation(condition)
    return _present(condition) if isinstance(condition, Present) else _count(condition)


def _relation(rule: Relation) -> Check:
    subjects, objects = frozenset(rule.subject), frozenset(rule.object)
    name = "|".join(rule.predicates) or "any"

    def fits(view: View, edge: Edge) -> bool:
        if edge.prob < rule.min_prob or (subjects and view.nodes[edge.subject].label not in subjects):
            return False
        return not objects or view.nodes[edge.object].label in objects

    def check(view: View, near: Ids | None) -> list[Match]:
        best: dict[tuple[int, int], Edge] = {}
        for predicate in rule.predicates or tuple(view.edges):
            for edge in view.edges.get(predicate, ()):
                if not fits(view, edge) or (near is not None and edge.subject not in near and edge.object not in near):
                    continue
                pair = (edge.subject, edge.object)
                if pair not in best or edge.prob > best[pair].prob:
                    best[pair] = edge
        return [_edge_match(view, edge, name) for edge in best.values()] if best else []

    return check


def _edge_match(view: View, edge: Edge, name: str) -> Match:
    subject, thing = view.nodes[edge.subject], view.nodes[edge.object]
    ids = (subject.id, thing.id)
    says = f"{_called(subject)} {edge.predicate.replace('_', ' ')} {_called(thing)}"
    return Match(f"#{subject.id}:{name}:#{thing.id}", says, ids, (edge,), frozenset(ids))


def _called(node: Node) -> str:
    return f"{node.label} {node.id}"


def _things(rule: Present, view: View) -> list[Node]:
    """Those that fit, by id. A zone that the stream does not have holds nothing."""
    if rule.labels:
        nodes: Iterable[Node] = (node for label in rule.labels for node in view.by_label.get(label, ()))
    else:
        nodes = view.nodes.values()
    if rule.zone is not None:
        polygon = view.zones.get(rule.zone, ())
        nodes = (node for node in nodes if polygon and is_inside(node.box, polygon))
    return list(nodes)


def _named(rule: Present) -> str:
    return ("|".join(rule.labels) or "any") + (f"@{rule.zone}" if rule.zone else "")


def _described(rule: Present) -> str:
    return (" or ".join(rule.labels) or "anything") + (f" in {rule.zone}" if rule.zone else "")


def _present(rule: Present) -> Check:
    place = (f"@{rule.zone}", f" in {rule.zone}") if rule.zone else ("", "")

    def check(view: View, near: Ids | None) -> list[Match]:
        nodes = [node for node in _things(rule, view) if near is None or node.id in near]
        return [Match(f"#{node.id}{place[0]}", f"{_called(node)}{place[1]}", (node.id,), (), frozenset((node.id,))) for node in nodes]

    return check


def _count(rule: Count) -> Check:
    low, high = rule.at_least or 0, float("inf") if rule.at_most is None else rule.at_most
    key, called = f"count({_named(rule.of)})", _described(rule.of)

    def check(view: View, near: Ids | None) -> list[Match]:
        del near
        nodes = _things(rule.of, view)
        return [Match(key, f"{len(nodes)} x {called}", tuple(node.id for node in nodes))] if low <= len(nodes) <= high else []

    return check


def _absent(rule: Absent, past: Past) -> Check:
    inner = compiled(rule.of, past)
    seen = past.new(keep_s=float("inf"))
    if isinstance(rule.of, Present):
        name = called = _described(rule.of)
    else:
        parts = (rule.of.subject, rule.of.predicates, rule.of.object)
        name, called = (sep.join("|".join(part) or "any" for part in parts) for sep in (":", " "))

    def observe(view: View) -> None:
        is_blind = view.before_s is None or view.now_s - view.before_s > BLIND_S
        if is_blind or "seen" not in seen.by_key or inner(view, None):
            seen.see("seen", view.now_s, view.before_s)

    def check(view: View, near: Ids | None) -> list[Match]:
        del near
        since_s = seen.by_key["seen"].last_s
        if view.now_s - since_s < rule.for_s or inner(view, None):
            return []
        return [Match(f"absent({name})", f"no {called}", since_s=since_s)]

    past.observers.append(observe)
    return check


def _all(rule: All, past: Past) -> Check:
    parts = sorted(rule.of, key=lambda part: isinstance(part, Not))
    checks = [compiled(part, past) for part in parts]

    def check(view: View, near: Ids | None) -> list[Match]:
        rows = checks[0](view, near)
        for part in checks[1:]:
            rows = [row.join(found) for row in rows[:MAX_MATCHES] for found in part(view, (row.anchors or near) if rule.linked else None)]
        return rows

    return check


def _either(checks: list[Check]) -> Check:
    def check(view: View, near: Ids | None) -> list[Match]:
        return [found for part in checks for found in part(view, near)]

    return check


def _not(inner: Check) -> Check:
    def check(view: View, near: Ids | None) -> list[Match]:
        return [] if inner(view, near) else [Match("not", "")]

    return check


def _sequence(rule: Sequence, past: Past) -> Check:
    first, then = compiled(rule.first, past), compiled(rule.then, past)
    begun, followed = past.new(keep_s=rule.within_s), past.new()

    def observe(view: View) -> None:
        for found in then(view, None)[:MAX_MATCHES]:
            trace = followed.see(found.key, view.now_s, view.before_s, found.ids)
            if trace.since_s == view.now_s:
                trace.says = before(found, view.now_s)
        for found in first(view, None)[:MAX_MATCHES]:
            begun.see(found.key, view.now_s, view.before_s, tuple(sorted(found.anchors)), found.says)
        begun.forget(view.now_s)
        followed.forget(view.now_s)

    def before(found: Match, now_s: float) -> str:
        linked = [
            trace
            for trace in begun.by_key.values()
            if now_s - trace.last_s <= rule.within_s + EPSILON_S
            and (not trace.nodes or not found.anchors or not found.anchors.isdisjoint(trace.nodes))
        ]
        return max(linked, key=lambda trace: trace.last_s).says if linked else ""

    def check(view: View, near: Ids | None) -> list[Match]:
        now = [(found, followed.by_key.get(found.key)) for found in then(view, near)]
        return [
            Match(f"then({found.key})", f"{trace.says}, then {found.says}", found.ids, found.edges, found.anchors)
            for found, trace in now
            if trace is not None and trace.says
        ]

    past.observers.append(observe)
    return check
