"""What a checkpoint folder holds and whether it is whole. Knows no torch and no runtime: engines without torch read it too.

    nano-v1/manifest.json          names, shapes, vocabulary, predicates and their operating thresholds, digests of the files below
    nano-v1/detector.safetensors   image tower, half precision, batch norm folded
    nano-v1/image_heads.safetensors  cues and further classes, half precision; a checkpoint may lack it
    nano-v1/head.safetensors       scene head and memory (its card: head.json)
    base/size.json                 how large a network with CLIP towers is (model/base/size.py); nano's have none
    nano-v1/paces.json             how fast belief in each predicate comes and goes (vigil fit-filter); a checkpoint may lack it
    nano-v1/prototypes.npy         text prototypes (C + K, D), float32: inputs of the network
    nano-v1/nano-v1.onnx           the whole network, any canvas and batch, holding exactly these weights

Errors are ValueErrors that tell the operator which file is wrong and why.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from model.belief import Pace

FORMAT = "vigil-checkpoint-1"
MANIFEST = "manifest.json"
DETECTOR = "detector.safetensors"
HEAD = "head.safetensors"
IMAGE_HEADS = "image_heads.safetensors"
SIZE = "size.json"
PROTOTYPES = "prototypes.npy"
PACES = "paces.json"


class PredicateUse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one predicate is used: published or held back, from which probability on, and how fast belief in it comes and goes."""

    name: str
    published: bool
    threshold: float
    pace: Pace = Pace()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The checkpoint's own description. `files` maps each file to its sha256; `trained_on` says in words what taught it what."""

    format: str
    name: str
    vocabulary: str
    objects: tuple[str, ...]
    predicates: tuple[PredicateUse, ...]
    num_entities: int
    num_pairs: int
    num_slots: int
    dim: int
    trained_on: str
    files: dict[str, str]

    @property
    def onnx_file(self) -> str:
        return f"{self.name}.onnx"

    @property
    def model_hash(self) -> str:
        """Changes with weights, vocabulary or shapes; stays when only thresholds, words or the exporter change."""
        shapes = (self.num_entities, self.num_pairs, self.num_slots, self.dim)
        words = (self.vocabulary, self.objects, tuple(use.name for use in self.predicates))
        names = (DETECTOR, HEAD, PROTOTYPES, *(name for name in (IMAGE_HEADS, SIZE) if name in self.files))
        weights = tuple(self.files[name] for name in names)
        identity = msgspec.json.encode((self.format, self.name, words, shapes, weights))
        return hashlib.sha256(identity).hexdigest()[:16]


def read_manifest(folder: Path, *, to_run: bool = False) -> Manifest:
    """The manifest of a whole checkpoint: every file is there and has its digest. Raises ValueError otherwise.

    `to_run` looks only at what an engine runs (graph and prototypes), so that a deployment may leave the training files out.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ValueError(f"{folder} is no checkpoint: it has no {MANIFEST}")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a checkpoint manifest: {error}") from error
    if manifest.format != FORMAT:
        raise ValueError(f"{path} has format {manifest.format!r}, this version reads {FORMAT!r}")
    missing = {DETECTOR, HEAD, PROTOTYPES, manifest.onnx_file} - manifest.files.keys()
    if missing:
        raise ValueError(f"{path} names no digest for {', '.join(sorted(missing))}")
    _check_files(folder, manifest, [PROTOTYPES, manifest.onnx_file] if to_run else list(manifest.files))
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Store the manifest, readable, beside the files that it names."""
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def read_paces(folder: Path) -> dict[str, Pace]:
    """The pace of each predicate's belief by name; empty where none were fitted."""
    path = folder / PACES
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Pace])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} does not hold a pace for each predicate: {error}") from error


def write_paces(folder: Path, paces: dict[str, Pace]) -> None:
    """Store paces, and put them into the manifest where there is one."""
    (folder / PACES).write_bytes(msgspec.json.format(msgspec.json.encode(paces), indent=1) + b"\n")
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        uses = tuple(msgspec.structs.replace(use, pace=paces.get(use.name, Pace())) for use in manifest.predicates)
        write_manifest(folder, msgspec.structs.replace(manifest, predicates=uses))


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_prototypes(folder: Path, manifest: Manifest) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Text prototypes of objects (C, D) and predicates (K, D)."""
    stored = np.load(folder / PROTOTYPES, allow_pickle=False)
    num_objects, num_predicates = len(manifest.objects), len(manifest.predicates)
    expected = (num_objects + num_predicates, manifest.dim)
    if stored.shape != expected or stored.dtype != np.float32:
        raise ValueError(f"{folder / PROTOTYPES} holds {stored.dtype} {stored.shape}, the manifest says float32 {expected}")
    return stored[:num_objects], stored[num_objects:]


def _check_files(folder: Path, manifest: Manifest, names: list[str]) -> None:
    for name in names:
        path = folder / name
        if not path.is_file():
            raise ValueError(f"the checkpoint {folder} has lost {name}")
        if digest(path) != manifest.files[name]:
            raise ValueError(f"{path} is not the file of this checkpoint (sha256 differs from {MANIFEST}): torn or replaced")
