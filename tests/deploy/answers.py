"""What Prometheus answers to expressions, one line each, and which of them are empty. Knows no Vigil."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.deploy.panels import Asked, filled

Series = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An expression as it was sent and the values of its series."""

    asked: Asked
    sent: str
    values: tuple[float, ...]

    @property
    def is_empty(self) -> bool:
        """No series, or none with a number."""
        return all(math.isnan(value) for value in self.values)


def answers(query: Callable[[str], Series], asked: Iterable[Asked], variables: Mapping[str, str]) -> list[Answer]:
    """Ask each once."""
    found = []
    for one in asked:
        sent = " ".join(filled(one.expr, variables).split())
        found.append(Answer(one, sent, tuple(float(series["value"][1]) for series in query(sent))))
    return found


def table(found: Sequence[Answer]) -> str:
    """Markdown: who asks, the expression, its current value and how many series it has."""
    lines = ["| asked by | expression | value now | series |", "|---|---|---|---|"]
    for one in found:
        expr = one.sent.replace("|", "\\|")
        lines.append(f"| {one.asked.where} | `{expr}` | {_shown(one)} | {len(one.values)} |")
    return "\n".join(lines) + "\n"


def _shown(one: Answer) -> str:
    """The value, or the least and the largest of several."""
    numbers = [value for value in one.values if not math.isnan(value)]
    if not numbers:
        return "**empty**"
    low, high = min(numbers), max(numbers)
    return f"{low:.4g}" if low == high else f"{low:.4g} .. {high:.4g}"
