"""A CLIP of a few thousand parameters under its published names, its tokenizer's files, and CLIP's two towers written out plainly.

The plain towers read the published names and share no line with model/base: they are what the towers there must agree with.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from model.base.size import Size, TowerSize

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = [
    *LETTERS, "/", *(f"{letter}</w>" for letter in LETTERS), "/</w>", "at</w>", "cat</w>", "ca", "<|startoftext|>", "<|endoftext|>",
]  # fmt: skip
TINY = Size(
    image=TowerSize(width=32, layers=2, heads=4, inner=64),
    patch=8,
    grid=4,
    text=TowerSize(width=24, layers=2, heads=3, inner=48),
    num_tokens=len(WORDS),
    positions=64,
    joint=20,
    decoder=TowerSize(width=32, layers=2, heads=4, inner=64),
    queries=40,
    shrink=2,
)


def published_weights(seed: int = 0) -> dict[str, Tensor]:
    """Random weights of a CLIP of size TINY in Hugging Face's layout, with the two tensors of it that we do not use."""
    generator = torch.Generator().manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "vision_model.embeddings.class_embedding": (32,),
        "vision_model.embeddings.patch_embedding.weight": (32, 3, 8, 8),
        "vision_model.embeddings.position_embedding.weight": (17, 32),
        "visual_projection.weight": (20, 32),
        "text_model.embeddings.token_embedding.weight": (len(WORDS), 24),
        "text_model.embeddings.position_embedding.weight": (64, 24),
        "text_projection.weight": (20, 24),
        "logit_scale": (),
    }
    for name, width in (("vision_model.pre_layrnorm", 32), ("vision_model.post_layernorm", 32), ("text_model.final_layer_norm", 24)):
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for tower, width in (("vision_model", 32), ("text_model", 24)):
        for index in range(2):
            layer = f"{tower}.encoder.layers.{index}"
            for part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"):
                shapes |= {f"{layer}.{part}.weight": (width, width), f"{layer}.{part}.bias": (width,)}
            shapes |= {f"{layer}.mlp.fc1.weight": (2 * width, width), f"{layer}.mlp.fc1.bias": (2 * width,)}
            shapes |= {f"{layer}.mlp.fc2.weight": (width, 2 * width), f"{layer}.mlp.fc2.bias": (width,)}
            for part in ("layer_norm1", "layer_norm2"):
                shapes |= {f"{layer}.{part}.weight": (width,), f"{layer}.{part}.bias": (width,)}
    weights = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return weights | {"text_model.embeddings.position_ids": torch.arange(64)[None]}


def write_clip(folder: Path, weights: dict[str, Tensor] | None = None) -> Path:
    """A folder as the hub keeps it: weights, and a tokenizer as vocab.json and merges.txt. Returns the weights' file."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(published_weights() if weights is None else weights, folder / "model.safetensors")
    write_tokenizer(folder)
    return folder / "model.safetensors"


def write_tokenizer(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(WORDS)}))
    lines = ["#version: 0.2", "a t</w>", "c at</w>", "c a"]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")


def plain_image(weights: dict[str, Tensor], pixels_B3HW: Tensor) -> Tensor:
    """CLIP's vision transformer on prepared pixels: all tokens after the last norm, projected (B, 1 + h w, joint)."""
    features = F.conv2d(pixels_B3HW, weights["vision_model.embeddings.patch_embedding.weight"], stride=8)
    batch, width, rows, columns = features.shape
    tokens = torch.stack([features[:, :, y, x] for y in range(rows) for x in range(columns)], 1)
    tokens = torch.cat([weights["vision_model.embeddings.class_embedding"].repeat(batch, 1, 1), tokens], 1)
    table = weights["vision_model.embeddings.position_embedding.weight"]
    if (rows, columns) != (4, 4):
        square = table[1:].reshape(1, 4, 4, width).permute(0, 3, 1, 2)
        square = F.interpolate(square, size=(rows, columns), mode="bicubic", align_corners=False)
        table = torch.cat([table[:1], square.permute(0, 2, 3, 1).reshape(rows * columns, width)])
    x = plain_norm(weights, "vision_model.pre_layrnorm", tokens + table)
    x = plain_norm(weights, "vision_model.post_layernorm", plain_blocks(weights, "vision_model", x, heads=4, causal=False))
    return x @ weights["visual_projection.weight"].T


def plain_text(weights: dict[str, Tensor], ids: list[int]) -> Tensor:
    """CLIP's text transformer on one prompt without padding: its end token, projected (joint)."""
    x = weights["text_model.embeddings.token_embedding.weight"][ids]
    x = (x + weights["text_model.embeddings.position_embedding.weight"][: len(ids)])[None]
    x = plain_norm(weights, "text_model.final_layer_norm", plain_blocks(weights, "text_model", x, heads=3, causal=True))
    return x[0, ids.index(len(WORDS) - 1)] @ weights["text_projection.weight"].T


def plain_norm(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def plain_blocks(weights: dict[str, Tensor], tower: str, x: Tensor, *, heads: int, causal: bool) -> Tensor:
    width = x.shape[2] // heads
    for index in range(2):
        layer = f"{tower}.encoder.layers.{index}"
        normed = plain_norm(weights, f"{layer}.layer_norm1", x)
        q, k, v = (_linear(weights, f"{layer}.self_attn.{part}_proj", normed) for part in "qkv")
        heard = []
        for head in range(heads):
            at = slice(head * width, (head + 1) * width)
            scores = q[..., at] @ k[..., at].transpose(1, 2) / width**0.5
            if causal:
                scores = scores.masked_fill(torch.ones_like(scores[0]).triu(1).bool(), float("-inf"))
            heard.append(scores.softmax(2) @ v[..., at])
        x = x + _linear(weights, f"{layer}.self_attn.out_proj", torch.cat(heard, 2))
        inner = _linear(weights, f"{layer}.mlp.fc1", plain_norm(weights, f"{layer}.layer_norm2", x))
        x = x + _linear(weights, f"{layer}.mlp.fc2", inner * torch.sigmoid(1.702 * inner))
    return x


def _linear(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def openai_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers under OpenAI's names: one fused product for queries, keys and values, projections the other way round."""
    out = {
        "visual.class_embedding": weights["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": weights["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": weights["vision_model.embeddings.position_embedding.weight"],
        "visual.proj": weights["visual_projection.weight"].T.contiguous(),
        "token_embedding.weight": weights["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": weights["text_model.embeddings.position_embedding.weight"],
        "text_projection": weights["text_projection.weight"].T.contiguous(),
    }
    norms = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
    }
    for kind in ("weight", "bias"):
        out |= {f"{ours}.{kind}": weights[f"{theirs}.{kind}"] for ours, theirs in norms.items()}
        for ours, theirs in (("visual.transformer", "vision_model.encoder"), ("transformer", "text_model.encoder")):
            for index in range(2):
                block, layer = f"{ours}.resblocks.{index}", f"{theirs}.layers.{index}"
                out[f"{block}.attn.in_proj_{kind}"] = torch.cat([weights[f"{layer}.self_attn.{part}_proj.{kind}"] for part in "qkv"])
                out[f"{block}.attn.out_proj.{kind}"] = weights[f"{layer}.self_attn.out_proj.{kind}"]
                for part, name in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
                    out[f"{block}.{part}.{kind}"] = weights[f"{layer}.{name}.{kind}"]
    return out
