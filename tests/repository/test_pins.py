"""requirements/*.txt: hashed, without any address, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PINS = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)
SEPARATE = {"torch"}
"""Installed by the Makefile in a step of its own."""


def pins(name: str) -> dict[str, set[Version]]:
    """Versions by canonical name; more than one where they depend on the Python version."""
    found: dict[str, set[Version]] = {}
    for match in PINS.finditer((ROOT / "requirements" / f"{name}.txt").read_text()):
        found.setdefault(canonical(match["name"]), set()).add(Version(match["version"]))
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(extras: tuple[str, ...]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return [requirement for requirement in map(Requirement, texts) if canonical(requirement.name) not in {"vigil", *SEPARATE}]


@pytest.mark.parametrize(("name", "extras"), [("default", ()), ("dev", ("train", "render", "dev")), ("gpu", ("gpu",))])
def test_every_dependency_is_pinned_within_its_range(name: str, extras: tuple[str, ...]) -> None:
    pinned = pins(name)
    for requirement in wanted(extras):
        versions = pinned.get(canonical(requirement.name), set())
        assert versions, f"{requirement.name} is not in requirements/{name}.txt: run `make lock`"
        for version in versions:
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is pinned to {version}: run `make lock`"


@pytest.mark.parametrize("name", ["build", "default", "dev", "gpu", "gpu-build"])
def test_pins_carry_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    blocks = [block for block in re.split(r"\n(?=\S)", text) if block.strip()]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert not re.search(r"^--", text, re.MULTILINE)


def test_the_default_set_stays_light() -> None:
    heavy = {"torch", "torchvision", "tensorrt", "torch-tensorrt", "ray", "opencv-python"}
    assert not heavy & pins("default").keys()
    assert not {"torch", "torchvision"} & pins("dev").keys()


def test_the_development_set_serves_with_the_same_versions() -> None:
    default, dev = pins("default"), pins("dev")
    assert {name: dev[name] for name in default} == default
