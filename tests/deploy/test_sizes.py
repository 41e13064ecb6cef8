"""`make sizes`: what it counts, and that the gpu set can be had for the image that takes it."""

import subprocess
from pathlib import Path

import pytest

from deploy.sizes import download_sizes, folder_bytes, gpu_files, installed_sizes, table

SOURCE_ONLY = {"tensorrt", "tensorrt-cu13", "tensorrt-cu13-libs"}
"""As the Dockerfile says: built from source, the last by fetching the wheel from NVIDIA."""


def install(site_packages: Path, name: str, size_bytes: int) -> None:
    """A package with one file."""
    info = site_packages / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site_packages / f"{name}.py").write_bytes(b"#" * size_bytes)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name}.py,,{size_bytes}\n{name}_gone.py,,7\n")


def test_a_package_weighs_what_its_record_lists_and_is_there(tmp_path: Path) -> None:
    install(tmp_path, "Small_One", 10)
    install(tmp_path, "large", 2_000_000)
    assert installed_sizes(tmp_path) == {"small-one": 10, "large": 2_000_000}


def test_a_link_weighs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "link").symlink_to("file")
    assert folder_bytes(tmp_path) == 3


def test_a_download_is_the_wheel_or_the_source_where_there_is_none() -> None:
    wheel = {"name": "a", "sdist": {"size": 9}, "wheels": [{"size": 5}]}
    assert download_sizes({"packages": [wheel, {"name": "b", "sdist": {"size": 7}}]}) == {"a": 5, "b": 7}


def test_the_table_has_the_largest_first_and_sums_up_the_small() -> None:
    sizes = {"a": 1_500_000, "b": 20_000_000, "c": 250_000, "d": 250_000}
    assert table("all", sizes, shown=2).splitlines() == ["all", "      20.0  b", "       1.5  a", "       0.5  2 others"]


def test_all_of_the_gpu_set_has_a_wheel_for_its_image_but_for_three_named_sources() -> None:
    try:
        files = gpu_files()
    except subprocess.CalledProcessError:
        pytest.skip("no package index can be asked here")
    without_wheel = {package["name"] for package in files["packages"] if not package.get("wheels")}
    assert without_wheel == SOURCE_ONLY
    assert download_sizes(files)["torch"] > 10**8
