"""The Dockerfile as BuildKit's own parser reads it, stage by stage. Knows what instructions say, not what is right."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dockerfile

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """`words` as the parser splits them; `is_json` is the exec form; `line` is that of its first word."""

    name: str
    words: tuple[str, ...]
    flags: tuple[str, ...]
    is_json: bool
    line: int

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Stage:
    """From one FROM to the next."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last(self, name: str) -> Instruction:
        found = self.all(name)
        assert found, f"stage {self.name} has no {name}"
        return found[-1]

    def pairs(self, name: str) -> dict[str, str]:
        """Of ENV or LABEL: names and values as written, without their quotes."""
        words = [word.strip('"') for instruction in self.all(name) for word in instruction.words if word != "="]
        return dict(zip(words[::2], words[1::2], strict=True))

    def commands(self) -> Iterator[tuple[int, str]]:
        """The single commands of every RUN, with their line."""
        for run in self.all("RUN"):
            for command in re.split(r"&&|\|\||;|\|", run.text):
                yield run.line, command.strip()


def read(path: Path = DOCKERFILE) -> tuple[dict[str, str], list[Stage]]:
    """The arguments above the first stage with their defaults, and the stages in their order."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for command in dockerfile.parse_file(str(path)):
        instruction = Instruction(command.cmd.upper(), command.value, command.flags, command.json, command.start_line)
        if instruction.name == "FROM":
            base, as_word, name = instruction.words
            assert as_word.upper() == "AS"
            stages.append(Stage(name, base, ()))
        elif stages:
            stages[-1] = Stage(stages[-1].name, stages[-1].base, (*stages[-1].instructions, instruction))
        else:
            assert instruction.name == "ARG", instruction
            name, _, default = instruction.text.partition("=")
            arguments[name] = default
    return arguments, stages
