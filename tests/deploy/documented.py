"""A configuration file against the keys that its program documents (documented_keys.yaml). Knows no program."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

KEYS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "documented_keys.yaml").read_text())
KINDS: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "boolean": (bool,), "array": (list,), "object": (dict,)}


def kinds_of(documented: Mapping[str, str]) -> dict[str, str]:
    """{key: kind} from {kind: "key key ..."}."""
    return {key: kind for kind, keys in documented.items() for key in keys.split()}


def faults(given: Mapping[str, Any], documented: Mapping[str, str], choices: Mapping[str, list[str]] | None = None) -> Iterator[str]:
    """A sentence for every key that is not documented, is of another kind, or has none of its words."""
    kinds, choices = kinds_of(documented), choices or {}
    for key, value in given.items():
        if key in choices and value not in choices[key]:
            yield f"{key} is {value!r}, expected one of {choices[key]}"
        elif key not in kinds and key not in choices:
            yield f"{key} is not documented"
        elif key in kinds and (not isinstance(value, KINDS[kinds[key]]) or (kinds[key] == "integer" and isinstance(value, bool))):
            yield f"{key} is {value!r}, expected {kinds[key]}"
