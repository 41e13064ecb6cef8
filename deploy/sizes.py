"""`make sizes`: how much the default set takes once installed, and how much the gpu set is to download. Knows neither's inside.

The default set is installed for real, into a folder that goes again. The gpu set is not: gigabytes. Its sizes are those that the
package index states for the very files that would be taken; what they unpack to is not known without them.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections import Counter
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements"
MEGABYTE = 10**6
SHOWN = 15
PACKAGED = ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "model", "engines", "service")
GPU_IMAGE = ("--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_39")
"""Ubuntu 24.04's, as in requirements/lock."""
STUBS = {"tensorrt-cu13-libs"}
"""On the package index a few kilobytes, which fetch the real wheel from NVIDIA's own index."""
Sizes = dict[str, int]


def installed_sizes(site_packages: Path) -> Sizes:
    """Bytes by package: every file that its record lists, bytecode included."""
    sizes: Counter[str] = Counter()
    for package in distributions(path=[str(site_packages)]):
        sizes[_name(package)] += sum(path.stat().st_size for file in package.files or () if (path := Path(str(file.locate()))).is_file())
    return dict(sizes)


def folder_bytes(folder: Path) -> int:
    """Of the files in it; a link counts as nothing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def download_sizes(pylock: dict[str, Any]) -> Sizes:
    """Bytes by package of a pylock.toml (PEP 751) for one platform: its wheel, or its source where there is none."""
    return {package["name"]: (package.get("wheels") or [package["sdist"]])[0]["size"] for package in pylock["packages"]}


def table(title: str, sizes: Sizes, *, shown: int = SHOWN) -> str:
    """Largest first, in MB of a million bytes; the small ones in one line."""
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    rows = [(f"{name} (a stub)" if name in STUBS else name, size) for name, size in ordered]
    if len(rows) > shown:
        rows = [*rows[:shown], (f"{len(rows) - shown} others", sum(size for _, size in rows[shown:]))]
    return "\n".join([title, *(f"  {size / MEGABYTE:8.1f}  {name}" for name, size in rows)])


def measure_default() -> str:
    """The table of a clean install."""
    with tempfile.TemporaryDirectory(prefix="vigil-sizes-") as name:
        folder = Path(name)
        venv.create(folder, with_pip=False)
        python = folder / "bin" / "python"
        install = [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*install, "--require-hashes", "-r", str(REQUIREMENTS / "default.txt")], check=True)
        subprocess.run([*install, "--no-index", "--no-deps", str(_wheel(folder))], check=True)
        site_packages = next((folder / "lib").glob("python3*/site-packages"))
        total = folder_bytes(site_packages) / MEGABYTE
        python_version = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        return table(f"default: {total:.0f} MB installed, on {python_version}", installed_sizes(site_packages))


def measure_gpu() -> str:
    """The table of the downloads."""
    sizes = download_sizes(gpu_files())
    without = " and ".join(sorted(STUBS & sizes.keys()))
    return table(f"gpu: {sum(sizes.values()) / MEGABYTE:.0f} MB to download, {without} not counted; unpacked: not known", sizes)


def gpu_files() -> dict[str, Any]:
    """The pylock.toml of requirements/gpu.txt for the gpu image, by asking the package index. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory(prefix="vigil-sizes-") as name:
        lock = Path(name) / "pylock.toml"
        options = ["--no-deps", "--no-python-downloads", "--quiet", "--format", "pylock.toml", *GPU_IMAGE, "-o", str(lock)]
        subprocess.run([str(_uv()), "pip", "compile", str(REQUIREMENTS / "gpu.txt"), *options], check=True)
        return tomllib.loads(lock.read_text())


def _wheel(folder: Path) -> Path:
    """Vigil's own, from a copy of its sources: what an earlier build left in the checkout does not count."""
    sources = folder / "sources"
    sources.mkdir()
    for name in PACKAGED:
        path = ROOT / name
        shutil.copytree(path, sources / name) if path.is_dir() else shutil.copy(path, sources)
    build = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels")]
    subprocess.run([*build, str(sources)], check=True)
    return next((folder / "wheels").glob("*.whl"))


def _uv() -> Path:
    return Path(sys.executable).with_name("uv")


def _name(package: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()


if __name__ == "__main__":
    sys.stdout.write(f"{measure_default()}\n\n{measure_gpu()}\n")
