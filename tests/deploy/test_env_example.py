""".env.example lists every variable that the compose file asks for and every setting, with its words and its default."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from service.settings import Settings
from tests.deploy.compose_file import COMPOSE, EXAMPLE, expressions, interpolate, load, read_env, strings
from tests.deploy.env_example import MARK, settings_part
from tests.servers.process import require_binary

SETTINGS = {f"VIGIL_{field.upper()}" for field in Settings.model_fields}
COMPOSES_OWN = {"COMPOSE_PROFILES"}
REQUIRED = {"GRAFANA_PASSWORD", "VIGIL_HOOK_TOKEN"}


@pytest.fixture(scope="module")
def text() -> str:
    return EXAMPLE.read_text()


@pytest.fixture(scope="module")
def used() -> dict[str, str]:
    """Each variable of the compose file with the default it has there."""
    return {
        name: interpolate(operand, {}) if operator == ":-" else ""
        for value in strings(yaml.safe_load(COMPOSE.read_text()))
        for name, operator, operand in expressions(value)
    }


def handed_on() -> set[str]:
    """Settings that the compose file passes as they are in .env."""
    return {name for name, value in yaml.safe_load(COMPOSE.read_text())["services"]["vigil"]["environment"].items() if value is None}


def test_every_variable_that_is_used_is_listed_and_no_other(text: str, used: dict[str, str]) -> None:
    assert set(read_env(text, with_commented=True)) == set(used) | handed_on() | COMPOSES_OWN


def test_a_variable_that_nobody_uses_would_be_noticed(text: str, used: dict[str, str]) -> None:
    assert set(read_env(text + "STRAY=1\n")) - (set(used) | handed_on() | COMPOSES_OWN) == {"STRAY"}


def test_the_values_shown_are_those_of_the_compose_file(text: str, used: dict[str, str]) -> None:
    shown = read_env(text, with_commented=True)
    assert {name: shown[name] for name in used} == used


def test_the_part_on_settings_is_what_the_settings_say(text: str) -> None:
    assert MARK + text.partition(MARK)[2] == settings_part(), "run: python -m tests.deploy.env_example"
    assert {name for name in SETTINGS if not re.search(rf"^#? ?{name}\b", text, re.MULTILINE)} == set()


def test_every_variable_is_explained_just_above(text: str) -> None:
    for block in re.split(r"\n\n+", text.partition("# A line that starts with # is off")[2]):
        lines = block.strip().splitlines()
        assert len([line for line in lines if re.match(r"#?[A-Z][A-Z0-9_]*=", line)]) <= 1, block
        assert lines[0].startswith("# ") or "shows what" in lines[0], block


def test_what_is_shown_for_a_setting_reads_as_its_default(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {name: value for name, value in read_env(text, with_commented=True).items() if name in handed_on() and value}
    assert len(shown) > 15
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    assert Settings() == Settings.model_construct()


def test_secrets_have_no_usable_default(text: str) -> None:
    assert {name for name, value in read_env(text).items() if not value} == REQUIRED
    assert "openssl rand -hex 24" in text


def test_the_commands_at_the_top_make_a_file_that_starts(text: str, tmp_path: Path) -> None:
    commands = [line.removeprefix("#").strip() for line in text.splitlines() if line.startswith("#   ")]
    assert len(commands) == 2
    require_binary("openssl")
    (tmp_path / ".env.example").write_text(text)
    subprocess.run(["bash", "-euc", "\n".join(commands)], cwd=tmp_path, check=True, timeout=30)
    made = read_env((tmp_path / ".env").read_text())
    assert all(re.fullmatch("[0-9a-f]{48}", made[name]) for name in REQUIRED)
    assert made["GRAFANA_PASSWORD"] != made["VIGIL_HOOK_TOKEN"]
    assert load(COMPOSE.read_text(), made)["services"]["vigil"]["environment"]["VIGIL_HOOK_TOKEN"] == made["VIGIL_HOOK_TOKEN"]
