"""What the tests install from npm is pinned by hash, and no lock names where it came from."""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "servers" / "npm"


def test_the_npm_lock_pins_every_package_by_hash_and_names_no_registry() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert "node_modules/node-media-server" in packages
    assert [name for name, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_npm_installs_exactly_one_version_that_package_json_names() -> None:
    asked = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    assert asked == {name: lock["packages"][f"node_modules/{name}"]["version"] for name in asked}
