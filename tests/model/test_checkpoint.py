"""A checkpoint folder is whole or refused with a sentence; its hash follows what stored memories depend on."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from model.checkpoint import (
    DETECTOR,
    FORMAT,
    HEAD,
    MANIFEST,
    PROTOTYPES,
    Manifest,
    PredicateUse,
    digest,
    read_manifest,
    read_prototypes,
    write_manifest,
)
from model.commands.export import DEFAULT_FOLDER
from model.detector import Detector
from model.vocabulary import MODERATION_V1
from model.weights import load_detector, save_detector


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A made checkpoint of three objects and two predicates, whole."""
    for name in (DETECTOR, HEAD, "made.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    np.save(tmp_path / PROTOTYPES, np.eye(5, 8, dtype=np.float32))
    write_manifest(tmp_path, made_manifest(tmp_path))
    return tmp_path


def made_manifest(folder: Path) -> Manifest:
    return Manifest(
        format=FORMAT,
        name="made",
        vocabulary="made-v1",
        objects=("person", "cup", "bed"),
        predicates=(PredicateUse("holding", True, 0.7), PredicateUse("unsure", False, 1.0)),
        num_entities=4,
        num_pairs=6,
        num_slots=7,
        dim=8,
        trained_on="nothing",
        files={name: digest(folder / name) for name in (DETECTOR, HEAD, PROTOTYPES, "made.onnx")},
    )


def test_a_whole_folder_reads_back_as_written(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest == made_manifest(folder)
    objects_CD, predicates_KD = read_prototypes(folder, manifest)
    assert (objects_CD.shape, predicates_KD.shape) == ((3, 8), (2, 8))


@pytest.mark.parametrize("name", [DETECTOR, HEAD, PROTOTYPES, "made.onnx"])
def test_a_lost_or_torn_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(ValueError, match=f"{name} is not the file of this checkpoint"):
        read_manifest(folder)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"has lost {name}"):
        read_manifest(folder)


def test_running_needs_only_the_graph_and_the_prototypes(folder: Path) -> None:
    (folder / HEAD).unlink()
    (folder / DETECTOR).unlink()
    assert read_manifest(folder, to_run=True).name == "made"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a checkpoint manifest"),
        (b"{", "not a checkpoint manifest"),
        (b'{"format": "vigil-checkpoint-1"}', "missing required field"),
        (b"\xff\xfe", "not a checkpoint manifest"),
    ],
)
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes, sentence: str) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_manifest(folder)


def test_a_folder_without_manifest_and_a_foreign_format_are_refused(folder: Path, tmp_path: Path) -> None:
    write_manifest(folder, msgspec.structs.replace(made_manifest(folder), format="vigil-checkpoint-9"))
    with pytest.raises(ValueError, match="format 'vigil-checkpoint-9', this version reads 'vigil-checkpoint-1'"):
        read_manifest(folder)
    with pytest.raises(ValueError, match=r"is no checkpoint: it has no manifest\.json"):
        read_manifest(tmp_path / "nowhere")


def test_prototypes_of_another_shape_are_refused(folder: Path) -> None:
    np.save(folder / PROTOTYPES, np.eye(4, 8, dtype=np.float32))
    with pytest.raises(ValueError, match=r"float32 \(4, 8\), the manifest says float32 \(5, 8\)"):
        read_prototypes(folder, made_manifest(folder))


def test_the_hash_follows_weights_vocabulary_and_shapes_but_not_thresholds_or_words(folder: Path) -> None:
    manifest = made_manifest(folder)
    stricter = tuple(msgspec.structs.replace(use, threshold=0.99) for use in manifest.predicates)
    same = [
        msgspec.structs.replace(manifest, predicates=stricter),
        msgspec.structs.replace(manifest, trained_on="other words"),
        msgspec.structs.replace(manifest, files={**manifest.files, "made.onnx": "0"}),
    ]
    other = [
        msgspec.structs.replace(manifest, objects=("person", "bed", "cup")),
        msgspec.structs.replace(manifest, num_slots=8),
        *(msgspec.structs.replace(manifest, files={**manifest.files, name: "0"}) for name in (DETECTOR, HEAD, PROTOTYPES)),
    ]
    assert {one.model_hash for one in same} == {manifest.model_hash}
    assert len({manifest.model_hash, *(one.model_hash for one in other)}) == 1 + len(other)


def test_a_stored_detector_comes_back_rounded_to_half_precision(tmp_path: Path) -> None:
    detector = Detector()
    save_detector(detector, tmp_path / DETECTOR)
    loaded = load_detector(tmp_path / DETECTOR).state_dict()
    assert all(torch.equal(loaded[name], value.half().float()) for name, value in detector.state_dict().items())


def test_a_foreign_or_torn_detector_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / DETECTOR
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_detector(path)
    path.write_bytes(b"torn")
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_detector(path)
    tensors = {name: value.half() for name, value in Detector().state_dict().items()}
    save_file({**tensors, "trunk.stem.1.bias": torch.zeros(7)}, path)
    with pytest.raises(ValueError, match=r"trunk\.stem\.1\.bias is \(7,\) there, \(32,\) in this network"):
        load_detector(path)


def test_the_shipped_checkpoint_is_whole_small_and_speaks_moderation_v1() -> None:
    manifest = read_manifest(DEFAULT_FOLDER)
    assert manifest.vocabulary == MODERATION_V1.name
    assert manifest.objects == MODERATION_V1.objects
    assert tuple(use.name for use in manifest.predicates) == MODERATION_V1.predicates
    assert (manifest.num_entities, manifest.num_pairs, manifest.num_slots, manifest.dim) == (32, 64, 193, 128)
    assert sum(path.stat().st_size for path in DEFAULT_FOLDER.iterdir()) < 25_000_000
