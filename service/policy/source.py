"""YAML as nodes that know their line, and typed reads of them that collect findings instead of stopping at the first. Knows no policy."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, TypeVar

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from service.policy.rules import Finding
from service.policy.words import did_you_mean

Word = TypeVar("Word", bound=str)
DURATION = re.compile(r"(-?)(\d+(?:\.\d+)?)\s*([a-z]*)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
KIND: dict[type[Node], str] = {MappingNode: "a mapping", SequenceNode: "a list"}
LONGEST_S = 24 * 3600.0


class Source:
    """One file and what is wrong with it so far. A read that fails notes a finding and returns None."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.findings: list[Finding] = []

    def compose(self, text: str) -> Node | None:
        """The document, or None when it is empty or broken."""
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.findings.append(Finding(self.name, mark.line + 1 if mark else 1, f"broken YAML: {error.problem or error.context}"))
        except RecursionError:
            self.findings.append(Finding(self.name, 1, "broken YAML: nested too deep"))
        except yaml.reader.ReaderError as error:
            line = text[: error.position].count("\n") + 1
            self.findings.append(Finding(self.name, line, f"broken YAML: a character that is not allowed (code {error.character})"))
        return None

    def error(self, node: Node, message: str) -> None:
        """This is wrong, here."""
        self.findings.append(Finding(self.name, _line(node), message))

    def warn(self, node: Node, message: str) -> None:
        """This is odd, here."""
        self.findings.append(Finding(self.name, _line(node), message, is_warning=True))

    def mapping(self, node: Node, what: str, known: Collection[str] | None) -> dict[str, Node] | None:
        """Key -> value; unknown (unless `known` is None) and repeated keys are findings and left out."""
        if not isinstance(node, MappingNode):
            self.error(node, f"{what} must be a mapping, not {_shown(node)}")
            return None
        found: dict[str, Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if known is not None and key not in known:
                hint = did_you_mean(key, known) or f"; known are {', '.join(known)}"
                self.error(key_node, f"unknown key {key!r} in {what}{hint}")
            elif key in found:
                self.error(key_node, f"key {key!r} stands twice in {what}")
            else:
                found[key] = value
        return found

    def items(self, node: Node, what: str) -> Sequence[Node]:
        """The parts of a list that is not empty."""
        if isinstance(node, SequenceNode) and node.value:
            parts: Sequence[Node] = node.value
            return parts
        ending = " that is not empty" if isinstance(node, SequenceNode) else f", not {_shown(node)}"
        self.error(node, f"{what} must be a list{ending}")
        return ()

    def words(self, node: Node, what: str) -> tuple[tuple[Node, str], ...]:
        """One word or a list of words, each with its place."""
        parts = self.items(node, what) if isinstance(node, SequenceNode) else (node,)
        read = [(part, self.word(part, what)) for part in parts]
        return tuple((part, word) for part, word in read if word is not None)

    def word(self, node: Node, what: str) -> str | None:
        """Text that is not empty."""
        if isinstance(node, ScalarNode) and str(node.value).strip():
            return str(node.value).strip()
        self.error(node, f"{what} must be a word, not {_shown(node)}")
        return None

    def one_of(self, node: Node, what: str, known: Iterable[Word]) -> Word | None:
        """One of the known words."""
        word, known = self.word(node, what), tuple(known)
        for choice in known:
            if choice == word:
                return choice
        if word is not None:
            self.error(node, f"{what} {word!r} is not one of {', '.join(known)}{did_you_mean(word, known)}")
        return None

    def flag(self, node: Node, what: str) -> bool | None:
        """true or false."""
        word = self.one_of(node, what, _FLAGS)
        return None if word is None else word == "true"

    def number(self, node: Node, what: str, low: float, high: float) -> float | None:
        """A number from `low` to `high`."""
        word = self.word(node, what)
        try:
            value = float(word) if word is not None else None
        except ValueError:
            value = None
        if value is not None and low <= value <= high:
            return value
        if word is not None:
            self.error(node, f"{what} must be a number from {low:g} to {high:g}, not {word!r}")
        return None

    def whole(self, node: Node, what: str) -> int | None:
        """A whole number from 0 to 1000."""
        value = self.number(node, what, 0, 1000)
        if value is not None and value != int(value):
            self.error(node, f"{what} must be a whole number, not {value:g}")
            return None
        return None if value is None else int(value)

    def duration_s(self, node: Node, what: str) -> float | None:
        """500ms, 1s, 2m or 1h, as seconds."""
        word = self.word(node, what)
        if word is None:
            return None
        match = DURATION.fullmatch(word)
        if match is None or match[3] not in SECONDS:
            self.error(node, f"{what} {word!r} is not a duration such as 500ms, 1s, 2m or 1h")
            return None
        value_s = float(match[2]) * SECONDS[match[3]]
        if match[1] or value_s > LONGEST_S:
            self.error(node, f"{what} must not be negative, it is {word!r}" if match[1] else f"{what} must be 24h at most, it is {word!r}")
            return None
        return value_s


_FLAGS: tuple[Literal["true", "false"], ...] = ("true", "false")


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(node: Node) -> str:
    if not node.value:
        return "nothing"
    return repr(node.value) if isinstance(node, ScalarNode) else KIND[type(node)]
