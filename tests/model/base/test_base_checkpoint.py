"""A tiny `base` checkpoint made of a tiny CLIP: exported as nano is, run by the same engine, and held to its digests."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime as ort
import pytest
import torch

from engines.factory import open_engine
from model.any_size import load_any
from model.assemble import describe
from model.base.assemble import assemble_base, load_base, write_untrained
from model.base.clip_text import ClipText
from model.base.clip_tokens import load_tokenizer
from model.base.clip_weights import load_clip
from model.base.network import Base
from model.base.size import read_size, write_size
from model.checkpoint import DETECTOR, HEAD, SIZE, Manifest, read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.export import INPUTS, export_onnx
from model.nano import Nano, Outputs
from model.text import embed_vocabulary, prototypes_of
from model.weights import save_detector
from tests.model.base.lively import answered_prototypes, enliven
from tests.model.base.tiny import TINY, write_clip
from tests.model.test_onnx import unlike
from tests.pictures import photograph

NUM_FRAMES = 30

pytestmark = pytest.mark.timeout(600)
"""The export is half a minute of one core."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The checkpoint, made as `vigil base export --clip` makes it; its queries are spread, so that it sees something."""
    folder = tmp_path_factory.mktemp("made") / "tiny"
    write_untrained(folder, TINY, clip, seed=1)
    network, _ = assemble_base(folder)
    enliven(network)
    save_detector(network.detector, folder / DETECTOR)
    network, prototypes = assemble_base(folder)
    export_onnx(network, network.num_slots, folder / "tiny.onnx", prototypes.objects_CD.shape[1])
    describe(folder, "tiny", "nothing")
    return folder


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(np.stack([photograph(name, width, height) for name in ("astronaut", "coffee", "chelsea")[:count]]))


@torch.no_grad()
def test_onnx_runtime_equals_pytorch_on_any_canvas_and_batch_with_carried_memory(folder: Path) -> None:
    network, _ = load_base(folder)
    session = ort.InferenceSession(str(folder / "tiny.onnx"), providers=["CPUExecutionProvider"])
    for batch, height, width in ((1, 96, 128), (3, 96, 128), (2, 64, 160)):
        scenes = pictures(batch, height + 32, width + 32)
        prototypes = answered_prototypes(network, scenes[:, :height, :width])
        memory = torch.zeros(batch, network.num_slots, TINY.dim), torch.zeros(batch, network.num_slots)
        carried = tuple(part.numpy() for part in memory)
        for step in range(NUM_FRAMES // batch):
            images_BHW3 = scenes[:, step : step + height, step : step + width].contiguous()
            dt_B = torch.full((batch,), 0.1)
            eager: Outputs = network(images_BHW3, *memory, dt_B, *prototypes)
            feeds = (images_BHW3.numpy(), *carried, dt_B.numpy(), *(part.numpy() for part in prototypes))
            exported = session.run(None, dict(zip(INPUTS, feeds, strict=True)))
            assert unlike(eager, exported, network.head.num_prototypes) == []
            memory, carried = (eager.memory_BPD, eager.counts_BP), tuple(exported[-2:])
        assert eager.scores_BN.max() > 0.5
        assert eager.predicate_probs_BRK.max() > 0.05


def test_the_default_engine_runs_the_checkpoint_and_carries_its_memory(folder: Path) -> None:
    engine = open_engine("onnxruntime", model_dir=folder, num_streams=2, max_pixels=128 * 96)
    assert (engine.spec.model, engine.spec.dim, engine.spec.num_slots) == ("tiny", TINY.dim, 193)
    assert not any(use.published for use in engine.spec.predicates)
    images_BHW3 = pictures(2, 96, 128)
    objects_CD, predicates_KD = (part.numpy() for part in answered_prototypes(load_base(folder)[0], images_BHW3))
    engine.replace_prototypes(objects_CD, predicates_KD)
    first, _ = engine.infer(images_BHW3.numpy(), [1, 0], [0.1, 0.1])
    assert first.labels_N[0] == 0
    assert first.scores_N[0] > 0.5
    assert engine.read_memory(1).counts_P.max() > 0.1
    engine.close()


def test_prototypes_are_the_text_towers_words_for_the_prompts(folder: Path, clip: Path) -> None:
    text = ClipText(load_clip(clip, TINY).text, load_tokenizer(clip.parent, TINY.num_tokens))
    expected = prototypes_of(embed_vocabulary(text.embed), TINY.dim)
    for ours, theirs in zip(load_base(folder)[1], expected, strict=True):
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(len(ours)))


def test_the_checkpoints_image_tower_is_the_users_clip_in_half_precision(folder: Path, clip: Path) -> None:
    given, kept = load_clip(clip, TINY).image.state_dict(), load_base(folder)[0].detector.image.state_dict()
    assert given.keys() == kept.keys()
    assert all(torch.equal(given[name].half().float(), kept[name]) for name in given)


def test_a_folder_of_either_size_becomes_its_network(folder: Path) -> None:
    assert isinstance(load_any(folder)[0], Base)
    assert isinstance(load_any(DEFAULT_FOLDER)[0], Nano)
    with pytest.raises(ValueError, match=r"has no size\.json: it is no checkpoint with CLIP towers"):
        assemble_base(DEFAULT_FOLDER)


def test_a_seed_repeats_the_weights_and_another_changes_them(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_untrained(tmp_path / name, TINY, None, seed)
    for file in (DETECTOR, HEAD):
        first, again, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == again != other


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def rehashed(folder: Path) -> Manifest:
    return describe(folder, "tiny", "nothing")


def test_the_hash_changes_with_the_size_even_where_no_weight_does(folder: Path, tmp_path: Path) -> None:
    whole, changed = read_manifest(folder), copied(folder, tmp_path / "changed")
    assert rehashed(changed).model_hash == whole.model_hash
    write_size(changed, msgspec.structs.replace(TINY, shrink=1))
    assert rehashed(changed).model_hash != whole.model_hash


def test_a_torn_foreign_or_unreadable_size_is_refused(folder: Path, tmp_path: Path) -> None:
    changed = copied(folder, tmp_path / "changed")
    write_size(changed, msgspec.structs.replace(TINY, queries=48))
    with pytest.raises(ValueError, match=r"size\.json is not the file of this checkpoint"):
        load_base(changed)
    with pytest.raises(ValueError, match=r"decoder\.queries is \(40, 32\) there, \(48, 32\) in this network"):
        assemble_base(changed)
    (changed / SIZE).write_text('{"patch": 8}')
    with pytest.raises(ValueError, match=r"size\.json does not hold a size"):
        read_size(changed)
