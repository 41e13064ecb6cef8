"""`python -m tests.deploy.env_example` writes Vigil's part of .env.example again: its settings, in their own words.

What stands above the mark is written by hand; a test keeps both parts true.
"""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from service.settings import Settings
from tests.deploy.compose_file import COMPOSE, EXAMPLE, expressions, interpolate

MARK = "# ---- Vigil's own settings, as service/settings.py explains them; this part is written by: python -m tests.deploy.env_example"


def shown(value: Any) -> str:
    """A value as a variable holds it; None has none."""
    if value is None:
        return ""
    return json.dumps(list(value)) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)


def settings_part() -> str:
    """The text from the mark to the end, as it should be now."""
    given = yaml.safe_load(COMPOSE.read_text())["services"]["vigil"]["environment"]
    return "\n".join([MARK, *(line for field in sorted(Settings.model_fields) for line in _entry(field, given))]) + "\n"


def _entry(field: str, given: dict[str, str | None]) -> Iterator[str]:
    about = Settings.model_fields[field]
    name, says = f"VIGIL_{field.upper()}", about.description or ""
    in_compose = given[name]
    yield ""
    yield from textwrap.wrap(says, 118, initial_indent="# ", subsequent_indent="# ")
    used = [use for use in expressions(in_compose or "") if use[0] == name]
    if in_compose is None:
        yield f"#{name}={shown(about.default)}"
    elif not used:
        yield f"# {name} is set by docker-compose.yml: {in_compose}"
    elif used[0][1] == ":?":
        yield f"{name}="
    else:
        yield f"#{name}={interpolate(in_compose, {})}"


if __name__ == "__main__":
    by_hand = EXAMPLE.read_text().partition(MARK)[0]
    EXAMPLE.write_text(by_hand + settings_part())
