"""Reads models out of the .sh3f archives as pyrender meshes. Knows the loading rules, not where things stand.

Rules: rotate as the catalogue says, then scale the bounding box to the catalogue's size, then put the base centre at the origin.
Materials are opaque unless the file says otherwise: pyrender's own import blends everything, which is slow and sorts wrongly.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import trimesh
from PIL import Image

from model.render.assets import Asset, load_assets
from model.render.gl import pyrender

DEFAULT_FOLDER = Path("/usr/share/sweethome3d/furniture")
MAX_TEXTURE_SIDE = 1024
OPAQUE_FROM = 0.99


class FurnitureLibrary:
    """Loads each model once; a mesh belongs to one renderer and may stand in many places."""

    def __init__(self, folder: Path = DEFAULT_FOLDER) -> None:
        if not folder.is_dir():
            raise ValueError(f"no furniture models in {folder}: install the Debian package sweethome3d-furniture, or name another folder")
        self.folder = folder
        self.assets = load_assets()
        self.used: dict[str, Asset] = {}
        self.kept: dict[str, Any] = {}
        """What else belongs to the same renderer and should live as long; whoever puts it there names it."""
        self._meshes: dict[str, Any] = {}
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def mesh(self, asset_id: str) -> Any:
        """The pyrender.Mesh of a model of the table. Raises ValueError for an unknown id or a missing file."""
        if asset_id not in self.assets:
            raise ValueError(f"no model {asset_id!r} in the table; known: {', '.join(sorted(self.assets))}")
        asset = self.used.setdefault(asset_id, self.assets[asset_id])
        if asset_id not in self._meshes:
            self._meshes[asset_id] = pyrender.Mesh([_primitive(part) for part in load_parts(self.folder, asset, self._archives)])
        return self._meshes[asset_id]


def load_parts(folder: Path, asset: Asset, archives: dict[Path, zipfile.ZipFile] | None = None) -> list[trimesh.Trimesh]:
    """The model by material, in metres, y-up, front +z, base centre at the origin. `archives` keeps archives open: their lists are long."""
    path = folder / asset.archive
    archives = {} if archives is None else archives
    try:
        if path not in archives:
            archives[path] = zipfile.ZipFile(path)
        parts = _read_obj(archives[path], asset.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} does not hold {asset.member}: {error}") from error
    if asset.rotation:
        turn = np.eye(4)
        turn[:3, :3] = np.reshape(asset.rotation, (3, 3))
        for part in parts:
            part.apply_transform(turn)
    fit = _fit(parts, np.array(asset.size))
    for part in parts:
        part.apply_transform(fit)
    return parts


def _read_obj(archive: zipfile.ZipFile, member: str) -> list[trimesh.Trimesh]:
    base = member.rpartition("/")[0] + "/"
    files = {name.removeprefix(base): io.BytesIO(archive.read(name)) for name in archive.namelist() if name.startswith(base)}
    scene = trimesh.load_scene(
        io.BytesIO(archive.read(member)), file_type="obj", resolver=trimesh.resolvers.ZipResolver(files), process=False
    )
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh) and len(geometry.faces):
            part = geometry.copy()
            part.apply_transform(transform)
            parts.append(part)
    return parts


def _fit(parts: list[trimesh.Trimesh], size: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    low = np.min([part.bounds[0] for part in parts], axis=0)
    high = np.max([part.bounds[1] for part in parts], axis=0)
    extent = high - low
    scale = np.where(extent > 1e-9, size / np.maximum(extent, 1e-9), 1.0)
    base_centre = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    fit = np.eye(4)
    fit[:3, :3] = np.diag(scale)
    fit[:3, 3] = -scale * base_centre
    return fit


def _primitive(part: trimesh.Trimesh) -> Any:
    source = getattr(part.visual, "material", None)
    image = _texture_image(getattr(source, "image", None))
    uv = getattr(part.visual, "uv", None)
    textured = image is not None and uv is not None
    opacity = _first_number(source, "d", 1.0)
    has_alpha = textured and image is not None and image.mode == "RGBA"
    colour = [1.0, 1.0, 1.0] if textured else [channel / 255 for channel in _diffuse(source)]
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=[*colour, opacity],
        baseColorTexture=pyrender.Texture(source=np.asarray(image), source_channels=image.mode) if textured and image else None,
        metallicFactor=0.0,
        roughnessFactor=max(0.25, (2 / (_first_number(source, "Ns", 1.0) + 2)) ** 0.25),
        alphaMode="BLEND" if has_alpha or opacity < OPAQUE_FROM else "OPAQUE",
        doubleSided=True,
    )
    return pyrender.Primitive(
        positions=part.vertices,
        normals=part.vertex_normals,
        indices=part.faces,
        texcoord_0=uv if textured else None,
        material=material,
        mode=4,
    )


def _texture_image(image: Image.Image | None) -> Image.Image | None:
    if image is None:
        return None
    keeps_alpha = image.mode in ("RGBA", "LA") or "transparency" in image.info
    image = image.convert("RGBA" if keeps_alpha else "RGB")
    if image.mode == "RGBA" and np.asarray(image)[..., 3].min() >= 250:
        image = image.convert("RGB")
    if max(image.size) > MAX_TEXTURE_SIDE:
        image.thumbnail((MAX_TEXTURE_SIDE, MAX_TEXTURE_SIDE))
    return image


def _diffuse(material: Any) -> tuple[float, float, float]:
    diffuse = getattr(material, "diffuse", None)
    return (204.0, 204.0, 204.0) if diffuse is None else (float(diffuse[0]), float(diffuse[1]), float(diffuse[2]))


def _first_number(material: Any, key: str, default: float) -> float:
    values = getattr(material, "kwargs", {}).get(key.lower(), getattr(material, "kwargs", {}).get(key))
    numbers = np.ravel(values if values is not None else [])
    return float(numbers[0]) if numbers.size else default
