"""Conditions read from YAML: `relation`, `zone`, `count`, `absent`, `all`, `any`, `not`, `sequence`. Knows no policy around them."""

from collections.abc import Callable, Mapping

from yaml import MappingNode, Node

from service.policy.rules import Absent, All, Condition, Count, Either, Not, Present, Relation, Sequence
from service.policy.source import Source
from service.policy.words import Words

MAX_CONDITIONS = 64
MAX_DEPTH = 6
ANY = "any"


class ConditionReader:
    """Reads the conditions of one policy; a broken one is a finding and None. Bounded, so that no file can blow up by aliases."""

    def __init__(self, source: Source, words: Words) -> None:
        self._source = source
        self._words = words
        self._depth = 0
        self._num_read = 0
        self._kinds: Mapping[str, Callable[[Node], Condition | None]] = {
            "relation": self._relation,
            "zone": self._zone,
            "count": self._count,
            "absent": self._absent,
            "all": self._all,
            "any": self._any,
            "not": self._not,
            "sequence": self._sequence,
        }

    def read(self, node: Node, what: str, *beside: str) -> tuple[Condition | None, dict[str, Node]]:
        """The condition, and the nodes under the keys that may stand `beside` it."""
        self._num_read += 1
        if self._num_read > MAX_CONDITIONS or self._depth >= MAX_DEPTH:
            too = f"more than {MAX_CONDITIONS} conditions" if self._num_read > MAX_CONDITIONS else f"nested deeper than {MAX_DEPTH}"
            if self._num_read <= MAX_CONDITIONS + 1:
                self._source.error(node, f"{what} is too large: {too}")
            return None, {}
        fields = self._source.mapping(node, what, (*self._kinds, *beside))
        if fields is None:
            return None, {}
        kinds = [key for key in fields if key in self._kinds]
        if len(kinds) != 1:
            had = f"it has {' and '.join(kinds)}; join them with all or any" if kinds else "it has none"
            self._source.error(node, f"{what} must have exactly one of {', '.join(self._kinds)}: {had}")
            return None, {}
        self._depth += 1
        condition = self._kinds[kinds[0]](fields[kinds[0]])
        self._depth -= 1
        return condition, {key: value for key, value in fields.items() if key in beside}

    def _relation(self, node: Node) -> Relation | None:
        fields = self._source.mapping(node, "relation", ("subject", "predicate", "object", "min_prob"))
        if fields is None:
            return None
        subject, objects = self._labels(fields.get("subject"), "subject"), self._labels(fields.get("object"), "object")
        min_prob = self._source.number(fields["min_prob"], "min_prob", 0, 1) if "min_prob" in fields else 0.0
        if "predicate" not in fields:
            self._source.error(node, "relation needs a predicate (one, a list, or any)")
            return None
        predicates = self._predicates(fields["predicate"])
        if subject is None or objects is None or min_prob is None or predicates is None:
            return None
        return Relation(subject=subject, predicates=predicates, object=objects, min_prob=min_prob)

    def _predicates(self, node: Node) -> tuple[str, ...] | None:
        given = self._source.words(node, "predicate")
        if [word for _, word in given] == [ANY]:
            return ()
        for part, word in given:
            try:
                self._words.predicate(word)
            except ValueError as error:
                self._source.error(part, str(error))
                return None
        held_back = self._words.held_back(word for _, word in given)
        for part, word in given:
            if word in held_back:
                end = "so this relation never holds" if len(held_back) == len(given) else "so it adds nothing"
                self._source.warn(part, f"predicate {word!r} is held back: the model in use never publishes it, {end}")
        return tuple(word for _, word in given) or None

    def _labels(self, node: Node | None, what: str) -> tuple[str, ...] | None:
        if node is None:
            return ()
        given = self._source.words(node, what)
        if [word for _, word in given] == [ANY]:
            return ()
        found: list[str] = []
        for part, word in given:
            try:
                found.extend(self._words.labels(word))
            except ValueError as error:
                self._source.error(part, str(error))
                return None
        return tuple(dict.fromkeys(found)) or None

    def _present(self, fields: Mapping[str, Node], at: Node, zone_key: str) -> Present | None:
        labels = self._labels(fields.get("label"), "label")
        zone = self._source.word(fields[zone_key], "zone") if zone_key in fields else None
        if zone is not None and "#" in zone:
            self._source.error(at, f"zone name {zone!r} must not contain #")
            return None
        is_broken = labels is None or (zone is None and zone_key in fields)
        return None if is_broken or labels is None else Present(labels, zone)

    def _zone(self, node: Node) -> Present | None:
        fields = self._source.mapping(node, "zone", ("name", "label"))
        if fields is None:
            return None
        if "name" not in fields:
            self._source.error(node, "zone needs a name, that of a polygon of the stream")
            return None
        return self._present(fields, node, "name")

    def _count(self, node: Node) -> Count | None:
        fields = self._source.mapping(node, "count", ("label", "zone", "at_least", "at_most"))
        if fields is None:
            return None
        of = self._present(fields, node, "zone")
        bounds = {key: self._source.whole(fields[key], key) for key in ("at_least", "at_most") if key in fields}
        if of is None or None in bounds.values():
            return None
        at_least, at_most = bounds.get("at_least"), bounds.get("at_most")
        if at_most is None and not at_least:
            self._source.error(node, "count needs at_least of 1 or more, or at_most: else it always holds")
            return None
        if at_least is not None and at_most is not None and at_least > at_most:
            self._source.error(node, f"count can never hold: at_least {at_least} is above at_most {at_most}")
            return None
        return Count(of, at_least, at_most)

    def _absent(self, node: Node) -> Absent | None:
        fields = self._source.mapping(node, "absent", ("label", "zone", "relation", "for"))
        if fields is None:
            return None
        if ("relation" in fields) == ("label" in fields or "zone" in fields):
            self._source.error(node, "absent needs either a label (and perhaps a zone) or a relation")
            return None
        of = self._relation(fields["relation"]) if "relation" in fields else self._present(fields, node, "zone")
        for_s = self._source.duration_s(fields["for"], "for") if "for" in fields else 0.0
        return None if of is None or for_s is None else Absent(of, for_s)

    def _all(self, node: Node) -> All | None:
        linked: bool | None = True
        if isinstance(node, MappingNode):
            fields = self._source.mapping(node, "all", ("of", "linked")) or {}
            linked = self._source.flag(fields["linked"], "linked") if "linked" in fields else True
            if "of" not in fields:
                self._source.error(node, "all must be a list of conditions, or {of: [...], linked: false}")
                return None
            node = fields["of"]
        parts = self._parts(node, "all")
        return None if parts is None or linked is None else All(parts, linked)

    def _any(self, node: Node) -> Either | None:
        parts = self._parts(node, "any")
        return None if parts is None else Either(parts)

    def _parts(self, node: Node, what: str) -> tuple[Condition, ...] | None:
        read = [self.read(part, f"each part of {what}")[0] for part in self._source.items(node, what)]
        parts = tuple(part for part in read if part is not None)
        return parts if parts and len(parts) == len(read) else None

    def _not(self, node: Node) -> Not | None:
        of, _ = self.read(node, "not")
        return None if of is None else Not(of)

    def _sequence(self, node: Node) -> Sequence | None:
        fields = self._source.mapping(node, "sequence", ("first", "then", "within"))
        if fields is None:
            return None
        missing = [key for key in ("first", "then", "within") if key not in fields]
        if missing:
            self._source.error(node, f"sequence needs {' and '.join(missing)}")
            return None
        first, _ = self.read(fields["first"], "first")
        then, _ = self.read(fields["then"], "then")
        within_s = self._source.duration_s(fields["within"], "within")
        if within_s == 0:
            self._source.error(fields["within"], "sequence can never hold: within must be longer than 0s")
            return None
        return None if first is None or then is None or within_s is None else Sequence(first, then, within_s)
