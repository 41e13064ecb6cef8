"""One policy read from YAML: its fields, and whether its windows can ever be met. Conditions are read next door."""

import re
from collections.abc import Mapping
from typing import get_args

from yaml import Node

from service.policy.conditions import ConditionReader
from service.policy.rules import Either, Escalation, Excuse, Policy
from service.policy.source import Source
from service.policy.words import Words
from service.types import Mode, Severity

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
MODES: tuple[Mode, ...] = get_args(Mode)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NEVER = Either(())
KEYS = ("name", "description", "severity", "mode", "when", "for", "within", "unless", "cooldown", "escalate", "streams")


class EntryReader:
    """Reads the policies of one file. `seen` maps the names read so far, over all files, to their place."""

    def __init__(self, source: Source, words: Words, seen: dict[str, str]) -> None:
        self._source = source
        self._words = words
        self._seen = seen

    def read(self, node: Node) -> Policy | None:
        """The policy; None when the findings gained an error. All fields are read, so that all that is wrong is said at once."""
        num_before = len(self._source.findings)
        fields = self._source.mapping(node, "policy", KEYS)
        if fields is None:
            return None
        missing = [key for key in ("name", "when") if key not in fields]
        if missing:
            self._source.error(node, f"policy needs {' and '.join(missing)}")
            return None
        conditions = ConditionReader(self._source, self._words)
        name = self._name(fields["name"])
        when, _ = conditions.read(fields["when"], "when")
        excuse = self._excuse(fields["unless"], conditions) if "unless" in fields else None
        policy = Policy(
            name=name or "",
            when=when or NEVER,
            severity=self._severity(fields, "severity") or "medium",
            mode=self._mode(fields),
            description=self._description(fields),
            for_s=self._duration_s(fields, "for") or 0.0,
            within_s=self._duration_s(fields, "within"),
            unless=excuse,
            cooldown_s=self._duration_s(fields, "cooldown") or 0.0,
            escalate=self._escalation(fields["escalate"]) if "escalate" in fields else None,
            streams=self._streams(fields["streams"]) if "streams" in fields else {},
        )
        self._check_windows(fields, policy)
        is_sound = all(finding.is_warning for finding in self._source.findings[num_before:])
        return policy if is_sound else None

    def _name(self, node: Node) -> str | None:
        name = self._source.word(node, "name")
        if name is None:
            return None
        if not NAME.fullmatch(name):
            self._source.error(node, f"name {name!r} must be up to 64 letters, digits, dots, dashes or underscores")
            return None
        if name in self._seen:
            self._source.error(node, f"policy {name!r} stands twice; the first is at {self._seen[name]}")
            return None
        self._seen[name] = f"{self._source.name}:{node.start_mark.line + 1}"
        return name

    def _severity(self, fields: Mapping[str, Node], key: str) -> Severity | None:
        return self._source.one_of(fields[key], key, SEVERITIES) if key in fields else None

    def _mode(self, fields: Mapping[str, Node]) -> Mode:
        return (self._source.one_of(fields["mode"], "mode", MODES) if "mode" in fields else None) or "flag"

    def _description(self, fields: Mapping[str, Node]) -> str:
        return (self._source.word(fields["description"], "description") if "description" in fields else None) or ""

    def _duration_s(self, fields: Mapping[str, Node], key: str) -> float | None:
        return self._source.duration_s(fields[key], key) if key in fields else None

    def _excuse(self, node: Node, conditions: ConditionReader) -> Excuse | None:
        of, beside = conditions.read(node, "unless", "within")
        within_s = self._duration_s(beside, "within")
        return None if of is None else Excuse(of, within_s or 0.0)

    def _escalation(self, node: Node) -> Escalation | None:
        fields = self._source.mapping(node, "escalate", ("after", "severity")) or {}
        missing = [key for key in ("after", "severity") if key not in fields]
        if missing:
            self._source.error(node, f"escalate needs {' and '.join(missing)}")
            return None
        after_s, severity = self._duration_s(fields, "after"), self._severity(fields, "severity")
        return None if after_s is None or severity is None else Escalation(after_s, severity)

    def _streams(self, node: Node) -> dict[str, tuple[str, ...]]:
        fields = self._source.mapping(node, "streams", None) or {}
        return {key: tuple(word for _, word in self._source.words(value, f"stream label {key!r}")) for key, value in fields.items()}

    def _check_windows(self, fields: Mapping[str, Node], policy: Policy) -> None:
        if policy.within_s is not None and policy.within_s < policy.for_s:
            message = f"can never hold: for {policy.for_s:g} s does not fit within {policy.within_s:g} s"
            self._source.error(fields["within"], message)
        if policy.within_s is not None and policy.for_s == 0:
            self._source.error(fields["within"], "within needs for: how long it must hold inside that window")
        if policy.escalate is None:
            return
        if policy.escalate.after_s <= policy.for_s:
            message = f"escalates after {policy.escalate.after_s:g} s, which is not later than it fires (for {policy.for_s:g} s)"
            self._source.error(fields["escalate"], message)
        if SEVERITIES.index(policy.escalate.severity) <= SEVERITIES.index(policy.severity):
            self._source.error(fields["escalate"], f"escalates from {policy.severity} to {policy.escalate.severity}, which is not higher")
