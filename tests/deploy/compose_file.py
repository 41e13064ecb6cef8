"""docker-compose.yml as the engine would read it: YAML, then variables, then the profile. Knows nothing of what it should say.

Of interpolation it has what the Compose specification calls $NAME, ${NAME}, ${NAME:-default} and ${NAME:?message}, nested.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LINE = re.compile(r"(?P<off>#?)(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")

Tree = dict[str, Any]


def read_env(text: str, *, with_commented: bool = False) -> dict[str, str]:
    """NAME=value lines in their order; those behind one # as well if asked."""
    found = (LINE.fullmatch(line) for line in text.splitlines())
    return {line["name"]: line["value"] for line in found if line and (with_commented or not line["off"])}


def load(text: str, variables: Mapping[str, str]) -> Tree:
    """Every variable filled in; an environment entry without a value is taken from `variables` or left out. ValueError as the engine."""
    tree: Tree = _map_strings(yaml.safe_load(text), lambda value: interpolate(value, variables))
    for service in tree["services"].values():
        handed_on = {name: variables.get(name) if value is None else value for name, value in service.get("environment", {}).items()}
        service["environment"] = {name: value for name, value in handed_on.items() if value is not None}
    return tree


def active(tree: Tree, profile: str) -> Tree:
    """The services that start with this one profile, by name."""
    return {name: service for name, service in tree["services"].items() if profile in service.get("profiles", [profile])}


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """ValueError names a required variable that is missing or empty."""
    out, rest = "", text
    while "$" in rest:
        before, _, rest = rest.partition("$")
        out += before
        if rest.startswith("$"):
            out, rest = out + "$", rest[1:]
        elif rest.startswith("{"):
            inside, rest = _braces(rest)
            out += _expression(inside, variables)
        elif name := NAME.match(rest):
            out, rest = out + variables.get(name[0], ""), rest[name.end() :]
        else:
            raise ValueError(f"a lone $ in {text!r}; a literal one is written $$")
    return out + rest


def expressions(text: str) -> Iterator[tuple[str, str, str]]:
    """(name, operator, operand) of every variable in `text`, those inside defaults too."""
    for start in re.finditer(r"(?<!\$)\$\{", text):
        inside, _ = _braces(text[start.end() - 1 :])
        name = NAME.match(inside)
        assert name, inside
        yield name[0], inside[name.end() : name.end() + 2], inside[name.end() + 2 :]


def strings(node: Any) -> Iterator[str]:
    """Every string value below `node`."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from strings(child)


def _braces(text: str) -> tuple[str, str]:
    """What stands inside the braces that `text` starts with, and what follows them."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[1:position], text[position + 1 :]
    raise ValueError(f"no closing brace in {text!r}")


def _expression(inside: str, variables: Mapping[str, str]) -> str:
    name = NAME.match(inside)
    if name is None:
        raise ValueError(f"no name in ${{{inside}}}")
    value, operator, operand = variables.get(name[0], ""), inside[name.end() : name.end() + 2], inside[name.end() + 2 :]
    if operator not in ("", ":-", ":?"):
        raise ValueError(f"${{{inside}}}: expected :- or :? behind the name")
    if operator == ":?" and not value:
        raise ValueError(f"{name[0]} {operand}")
    return interpolate(operand, variables) if operator == ":-" and not value else value


def _map_strings(node: Any, change: Any) -> Any:
    if isinstance(node, str):
        return change(node)
    if isinstance(node, dict):
        return {key: _map_strings(value, change) for key, value in node.items()}
    return [_map_strings(item, change) for item in node] if isinstance(node, list) else node
