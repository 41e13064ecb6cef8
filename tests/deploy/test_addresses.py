"""Every address of Vigil that a file under deploy/ or docker-compose.yml asks for is one that Vigil serves."""

import re

import pytest
import yaml

from service.api.app import create_app
from service.settings import Settings
from tests.deploy.compose_file import COMPOSE, ROOT, strings

ASKING = (COMPOSE, ROOT / "deploy" / "mediamtx" / "mediamtx.yml", ROOT / "deploy" / "prometheus" / "prometheus.yml")


@pytest.fixture(scope="module")
def served() -> set[str]:
    return set(create_app(Settings(), "redis://127.0.0.1:1/0", None).openapi()["paths"])


def asked() -> set[str]:
    found = (
        re.findall(r"http://(?:vigil:[^@]+@)?vigil:8000(/[\w./-]+)", text)
        for path in ASKING
        for text in strings(yaml.safe_load(path.read_text()))
    )
    return {address for addresses in found for address in addresses}


def test_what_is_asked_of_vigil_is_served(served: set[str]) -> None:
    assert asked() == {"/v1/hooks/mediamtx/auth", "/v1/hooks/mediamtx/unpublish", "/v1/metrics/targets"}
    assert asked() <= served


def test_the_images_healthcheck_asks_for_what_is_served(served: set[str]) -> None:
    checks = re.findall(r"'(/\w+)', timeout", (ROOT / "Dockerfile").read_text())
    assert checks == ["/readyz", "/readyz"]
    assert set(checks) <= served
