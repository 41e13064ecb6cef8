"""What published CLIP files call the parameters of our towers: two layouts, as tables. Knows no file and no tensor.

Ours fuse queries, keys and values into one product: where a layout keeps them apart, one of our parameters has three sources.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to name CLIP's tensors. `marker` is a name that only such a file holds; `transposed` are kept the other way round."""

    name: str
    marker: str
    top: dict[str, str]
    blocks: dict[str, str]
    parts: dict[str, tuple[str, ...]]
    stacked: tuple[str, ...]
    transposed: tuple[str, ...]

    def sources(self, ours: str) -> tuple[str, ...]:
        """The names in the file of one of our parameters, such as `image.blocks.0.qkv.weight`."""
        if ours in self.top:
            return (self.top[ours],)
        tower, rest = ours.split(".", 1)
        if not rest.startswith("blocks."):
            part, kind = rest.rsplit(".", 1)
            return (f"{self.top[f'{tower}.{part}']}.{kind}",)
        _, index, part, kind = rest.split(".")
        return tuple(f"{self.blocks[tower]}.{index}.{name.format(kind)}" for name in self.parts[part])


HUGGING_FACE = Layout(
    name="Hugging Face CLIPModel",
    marker="vision_model.embeddings.class_embedding",
    top={
        "image.whole": "vision_model.embeddings.class_embedding",
        "image.positions": "vision_model.embeddings.position_embedding.weight",
        "image.patches": "vision_model.embeddings.patch_embedding",
        "image.norm_before": "vision_model.pre_layrnorm",
        "image.norm_after": "vision_model.post_layernorm",
        "image.projection": "visual_projection",
        "text.tokens": "text_model.embeddings.token_embedding",
        "text.positions": "text_model.embeddings.position_embedding.weight",
        "text.norm_after": "text_model.final_layer_norm",
        "text.projection": "text_projection",
    },
    blocks={"image": "vision_model.encoder.layers", "text": "text_model.encoder.layers"},
    parts={
        "qkv": ("self_attn.q_proj.{}", "self_attn.k_proj.{}", "self_attn.v_proj.{}"),
        "out": ("self_attn.out_proj.{}",),
        "norm_attention": ("layer_norm1.{}",),
        "norm_inner": ("layer_norm2.{}",),
        "widen": ("mlp.fc1.{}",),
        "narrow": ("mlp.fc2.{}",),
    },
    stacked=("qkv",),
    transposed=(),
)
OPENAI = Layout(
    name="OpenAI CLIP",
    marker="visual.class_embedding",
    top={
        "image.whole": "visual.class_embedding",
        "image.positions": "visual.positional_embedding",
        "image.patches": "visual.conv1",
        "image.norm_before": "visual.ln_pre",
        "image.norm_after": "visual.ln_post",
        "image.projection.weight": "visual.proj",
        "text.tokens": "token_embedding",
        "text.positions": "positional_embedding",
        "text.norm_after": "ln_final",
        "text.projection.weight": "text_projection",
    },
    blocks={"image": "visual.transformer.resblocks", "text": "transformer.resblocks"},
    parts={
        "qkv": ("attn.in_proj_{}",),
        "out": ("attn.out_proj.{}",),
        "norm_attention": ("ln_1.{}",),
        "norm_inner": ("ln_2.{}",),
        "widen": ("mlp.c_fc.{}",),
        "narrow": ("mlp.c_proj.{}",),
    },
    stacked=(),
    transposed=("image.projection.weight", "text.projection.weight"),
)
LAYOUTS = (HUGGING_FACE, OPENAI)


def layout_of(names: Iterable[str]) -> Layout:
    """The layout of a file with these tensors. Raises ValueError when it is neither."""
    held = set(names)
    for layout in LAYOUTS:
        if layout.marker in held:
            return layout
    known = " nor ".join(f"{layout.marker} ({layout.name})" for layout in LAYOUTS)
    raise ValueError(f"holds neither {known}, so it is no CLIP with a vision transformer")
