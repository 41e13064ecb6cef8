"""What a policy is, as data. Knows no YAML and evaluates nothing."""

from dataclasses import dataclass

from msgspec import Struct

from service.types import Mode, Severity


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


class Policy(Struct, frozen=True):
    """One rule."""

    name: str
    severity: Severity = "medium"
    mode: Mode = "flag"


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
