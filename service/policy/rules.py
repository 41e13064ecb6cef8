"""What a policy is, as data. Knows no YAML and evaluates nothing.

A label list is expanded (groups such as `food` are their members); empty means any thing.
"""

from dataclasses import dataclass
from typing import TypeAlias

from msgspec import Struct

from service.types import Mode, Severity


class Relation(Struct, frozen=True, tag="relation"):
    """An edge of the graph. Empty `predicates` means any."""

    subject: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    object: tuple[str, ...] = ()
    min_prob: float = 0.0


class Present(Struct, frozen=True, tag="present"):
    """A thing, in a zone of the stream when one is named (the middle of the lower edge of its box lies inside the polygon)."""

    labels: tuple[str, ...] = ()
    zone: str | None = None


class Count(Struct, frozen=True, tag="count"):
    """So many things at once."""

    of: Present
    at_least: int | None = None
    at_most: int | None = None


class Absent(Struct, frozen=True, tag="absent"):
    """Nothing of the kind for so long."""

    of: Present | Relation
    for_s: float = 0.0


class All(Struct, frozen=True, tag="all"):
    """Every condition holds. `linked`: of the same things, so each match shares a node with those before it."""

    of: tuple["Condition", ...]
    linked: bool = True


class Either(Struct, frozen=True, tag="any"):
    """At least one condition holds."""

    of: tuple["Condition", ...]


class Not(Struct, frozen=True, tag="not"):
    """The condition does not hold; inside a linked `all`: not for the same things."""

    of: "Condition"


class Sequence(Struct, frozen=True, tag="sequence"):
    """`then` begins after `first` began and at most `within_s` after it was last seen, with a thing in common."""

    first: "Condition"
    then: "Condition"
    within_s: float


Condition: TypeAlias = Relation | Present | Count | Absent | All | Either | Not | Sequence


class Excuse(Struct, frozen=True):
    """What excuses a match: it holds, or held up to `within_s` ago; a relation or a thing counts only when the match has a part in it."""

    of: Condition
    within_s: float = 0.0


class Escalation(Struct, frozen=True):
    """From `after_s` on the severity is this one."""

    after_s: float
    severity: Severity


class Policy(Struct, frozen=True):
    """One rule. It fires when `when` has held for `for_s` without a break, or for `for_s` in all out of the last `within_s`.

    `streams`: label of the stream -> values; the policy is for streams that have one of the values of each.
    """

    name: str
    when: Condition
    severity: Severity = "medium"
    mode: Mode = "flag"
    description: str = ""
    for_s: float = 0.0
    within_s: float | None = None
    unless: Excuse | None = None
    cooldown_s: float = 0.0
    escalate: Escalation | None = None
    streams: dict[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a policy file. A warning does not stop it from loading."""

    source: str
    line: int
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {'warning: ' if self.is_warning else ''}{self.message}"


class PolicyError(ValueError):
    """A policy file that must not be used; the text has one line per finding, `file:line: sentence`."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The rules in force, in file order; names are unique. `warnings` are the linter's, `text` is what was read."""

    policies: tuple[Policy, ...] = ()
    warnings: tuple[Finding, ...] = ()
    text: str = ""

    def only(self, names: tuple[str, ...] | None) -> "PolicySet":
        """Those a stream asked for; None means all."""
        if names is None:
            return self
        return PolicySet(tuple(policy for policy in self.policies if policy.name in names), self.warnings, self.text)
