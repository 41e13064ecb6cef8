"""Weights from the user's file: our towers say what CLIP written out plainly says, and every wrong file has its sentence."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from model.base.clip_text import ClipText
from model.base.clip_tokens import load_tokenizer
from model.base.clip_weights import find_cached_clip, find_clip, hub_cache, load_clip
from model.base.vit import MEAN, SPREAD
from tests.model.base.tiny import TINY, openai_weights, plain_image, plain_text, published_weights, write_clip

TOLERANCE = 1e-5


def some_images(height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (2, height, width, 3), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def prepared(images_BHW3: Tensor) -> Tensor:
    """As CLIP's own preparation: fractions, minus mean, over spread; each 2x2 pixels first become their mean (TINY.shrink)."""
    fractions = images_BHW3.permute(0, 3, 1, 2).float() / 255.0
    halved = (fractions[..., ::2, ::2] + fractions[..., 1::2, ::2] + fractions[..., ::2, 1::2] + fractions[..., 1::2, 1::2]) / 4
    return (halved - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (32, 160)])
def test_the_image_tower_agrees_with_clip_written_out_plainly_on_any_canvas(tmp_path: Path, height: int, width: int) -> None:
    tower, images_BHW3 = load_clip(write_clip(tmp_path), TINY).image, some_images(height, width)
    expected = plain_image(published_weights(), prepared(images_BHW3))
    torch.testing.assert_close(tower.tokens(images_BHW3), expected, rtol=0.0, atol=TOLERANCE)
    patches = expected[:, 1:].reshape(2, height // 16, width // 16, TINY.joint)
    torch.testing.assert_close(tower(images_BHW3).permute(0, 2, 3, 1), patches, rtol=0.0, atol=TOLERANCE)


def test_the_text_tower_agrees_with_clip_written_out_plainly_though_prompts_are_padded(tmp_path: Path) -> None:
    text = ClipText(load_clip(write_clip(tmp_path), TINY).text, load_tokenizer(tmp_path, TINY.num_tokens))
    prompts = ["a cat", "a photo of a cat", "x"]
    expected = torch.stack([plain_text(published_weights(), text.tokenizer.encode(prompt).ids) for prompt in prompts])
    torch.testing.assert_close(text.embed(prompts), F.normalize(expected, dim=1), rtol=0.0, atol=TOLERANCE)


def test_a_prompt_longer_than_the_tower_is_cut_but_keeps_its_end(tmp_path: Path) -> None:
    text = ClipText(load_clip(write_clip(tmp_path), TINY).text, load_tokenizer(tmp_path, TINY.num_tokens))
    kept = "x " * (TINY.positions - 2)
    torch.testing.assert_close(text.embed([kept + "a cat"]), text.embed([kept]))


def test_both_published_layouts_give_the_same_towers(tmp_path: Path) -> None:
    ours = load_clip(write_clip(tmp_path / "a"), TINY).state_dict()
    theirs = load_clip(write_clip(tmp_path / "b", openai_weights(published_weights())), TINY).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_half_precision_files_load_as_float32(tmp_path: Path) -> None:
    halves = {name: value.half() for name, value in published_weights().items()}
    towers = load_clip(write_clip(tmp_path, halves), TINY)
    assert {value.dtype for value in towers.state_dict().values()} == {torch.float32}
    torch.testing.assert_close(towers.image.whole.data, halves["vision_model.embeddings.class_embedding"].float())


def changed(**changes: Tensor | None) -> dict[str, Tensor]:
    weights = {**published_weights(), **{name.replace("__", "."): value for name, value in changes.items()}}
    return {name: value for name, value in weights.items() if value is not None}


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (
            changed(text_model__encoder__layers__1__self_attn__k_proj__weight=None),
            r"text_model\.encoder\.layers\.1\.self_attn\.k_proj\.weight is missing, expected \(24, 24\) \(Hugging Face CLIPModel layout\)",
        ),
        (
            changed(vision_model__embeddings__patch_embedding__weight=torch.zeros(32, 3, 16, 16)),
            r"patch_embedding\.weight is \(32, 3, 16, 16\) there, \(32, 3, 8, 8\) in this network",
        ),
        (changed(visual_projection__weight=torch.zeros(32, 20)), r"visual_projection\.weight is \(32, 20\) there, \(20, 32\)"),
        (
            changed(vision_model__encoder__layers__2__layer_norm1__bias=torch.zeros(32)),
            r"vision_model\.encoder\.layers\.2\.layer_norm1\.bias is there, but the image tower of this network has 2 blocks",
        ),
        ({"weight": torch.zeros(1)}, r"holds neither vision_model\.embeddings\.class_embedding .* no CLIP"),
    ],
)
def test_a_file_of_another_network_is_refused_by_its_first_difference(tmp_path: Path, weights: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"{tmp_path}.*{sentence}"):
        load_clip(write_clip(tmp_path, weights), TINY)


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"PK\x03\x04 a pickle")
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_clip(tmp_path / "model.safetensors", TINY)


def test_weights_are_found_by_file_by_folder_and_in_the_hub_cache(tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--openai--clip-vit-base-patch16"
    old, new = (write_clip(cache / "snapshots" / name) for name in ("0ld", "new"))
    assert find_clip(old) == find_clip(old.parent) == old
    assert find_cached_clip({"HF_HOME": str(tmp_path)}, Path("/nowhere")) == old
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("new\n")
    assert find_cached_clip({"HF_HUB_CACHE": str(tmp_path / "hub")}, Path("/nowhere")) == new


def test_the_hub_cache_is_where_the_hubs_tools_keep_it() -> None:
    home = Path("/users/somebody")
    assert hub_cache({}, home) == home / ".cache/huggingface/hub"
    assert hub_cache({"XDG_CACHE_HOME": "/var/cache"}, home) == Path("/var/cache/huggingface/hub")
    assert hub_cache({"HF_HOME": "/models", "XDG_CACHE_HOME": "/var/cache"}, home) == Path("/models/hub")


def test_missing_weights_are_said_with_where_they_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*model\.safetensors: expected a safetensors file with CLIP weights, or a folder"):
        find_clip(tmp_path)
    with pytest.raises(ValueError, match=rf"looked for {tmp_path}/huggingface/hub/models--openai--clip-vit-base-patch16/snapshots"):
        find_cached_clip({"XDG_CACHE_HOME": str(tmp_path)}, Path("/nowhere"))
