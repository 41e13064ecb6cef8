"""`vigil serve`: flags over the environment, and a sentence for everything that cannot start."""

import argparse
import socket
from pathlib import Path

import pytest

from service.cli import main
from service.cli.serve import FLAGS, add_arguments, settings_from
from service.settings import Settings


def parse(*words: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_from(parser.parse_args(words))


def test_flags_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_PORT", "9000")
    monkeypatch.setenv("VIGIL_WORKERS", "3")
    settings = parse("--port", "9001", "--data", "somewhere", "--allow-network", "127.0.0.0/8", "--allow-network", "10.0.0.0/8")
    assert (settings.port, settings.workers, settings.data_dir) == (9001, 3, Path("somewhere"))
    assert settings.allow_networks == ("127.0.0.0/8", "10.0.0.0/8")


def test_every_flag_is_a_setting_with_a_description() -> None:
    assert all(Settings.model_fields[field].description for field in FLAGS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "70000"], "port: Input should be less than or equal to 65535, got 70000"),
        (["--workers", "-1"], "workers: Input should be greater than or equal to 0, got -1"),
        (["--engine", "nonsense"], "no engine 'nonsense'; known: "),
        (["--engine", "fake", "--policies", "missing.yaml"], "policies: missing.yaml does not exist"),
        (["--model-dir", "missing-model"], "missing-model"),
        (["--engine", "fake", "--redis-url", "redis://127.0.0.1:1"], "Redis at redis://127.0.0.1:1 does not answer"),
        (["--engine", "fake", "--redis-url", "ftp://x"], "redis_url: Redis URL must specify one of the following schemes"),
        (["--engine", "fake", "--allow-network", "everywhere"], "everywhere"),
    ],
)
def test_what_cannot_start_says_why_in_one_sentence(capfd: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    assert main(["serve", "--port", "0", "--log-level", "error", *words]) == 2
    errors = capfd.readouterr().err
    assert errors.startswith("vigil serve: ")
    assert sentence in errors
    assert "Traceback" not in errors


def test_a_secret_that_is_too_short_is_not_printed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_HOOK_TOKEN", "sesame")
    assert main(["serve", "--engine", "fake", "--port", "0"]) == 2
    errors = capfd.readouterr().err
    assert "hook_token: Value should have at least 16" in errors
    assert "sesame" not in errors


def test_a_port_in_use_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--engine", "fake", "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port" in capfd.readouterr().err


def test_a_policy_with_an_unknown_label_stops_the_start_with_file_and_line(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("- name: a\n  when: {relation: {subject: person, predicate: holding, object: kinfe}}\n")
    assert main(["serve", "--engine", "fake", "--port", "0", "--policies", str(path)]) == 2
    errors = capfd.readouterr().err
    assert f"{path}:2" in errors
    assert "knife" in errors
