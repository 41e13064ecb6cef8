"""The names of all settings: operators set them as VIGIL_ variables, so a new one is a decision and an old one a promise."""

import pytest
from pydantic import ValidationError

from service.settings import Settings

NAMES = {
    "admit_fps", "advertise", "allow_hosts", "allow_networks", "allow_origins", "backoff_base_s", "backoff_max_s", "connects_per_minute",
    "data_dir", "decoder", "engine", "engine_threads", "hook_token", "host", "log_json", "log_level", "max_pixels", "max_source_pixels",
    "max_streams", "model_dir", "open_timeout_s", "pin_cpus", "policies", "port", "push_play_url", "push_url", "read_timeout_s",
    "redis_url", "save_every_s", "shard", "spare_worker", "stall_after_s", "workers",
}  # fmt: skip


def test_these_are_the_settings_and_each_says_who_turns_it() -> None:
    assert set(Settings.model_fields) == NAMES
    assert all(field.description for field in Settings.model_fields.values())


def test_a_variable_is_read_once_and_cannot_be_changed_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_WORKERS", "3")
    monkeypatch.setenv("VIGIL_ALLOW_NETWORKS", '["10.20.0.0/16"]')
    settings = Settings()
    assert (settings.workers, settings.allow_networks) == (3, ("10.20.0.0/16",))
    with pytest.raises(ValidationError, match="frozen"):
        settings.workers = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("port", "70000", "less than or equal to 65535"),
        ("workers", "-1", "greater than or equal to 0"),
        ("log_level", "loud", "pattern"),
        ("advertise", "vigil", "expected host:port"),
        ("advertise", "http://vigil:8000", "expected host:port"),
        ("advertise", "vigil:8000/metrics", "expected host:port"),
        ("advertise", "vigil:65536", "expected host:port"),
        ("advertise", "vigil:0", "expected host:port"),
        ("advertise", "", "expected host:port"),
    ],
)
def test_a_wrong_value_fails_at_birth(monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str) -> None:
    monkeypatch.setenv(f"VIGIL_{name.upper()}", value)
    with pytest.raises(ValidationError, match=sentence):
        Settings()


@pytest.mark.parametrize("address", ["vigil:8000", "10.0.0.7:80", "[fd00::7]:65535", "cam-1.example.com:8000"])
def test_an_address_to_be_reached_at_is_host_and_port(address: str) -> None:
    assert Settings(advertise=address).advertise == address
