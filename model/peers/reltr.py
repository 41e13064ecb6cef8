"""RelTR (Cong, Yang, Rosenhahn 2023) rebuilt at its size with random weights: it shows what such a network costs, not what it sees.

ResNet-50, six encoder layers over its last stage, six decoder layers in which entity queries and coupled subject and object queries
look at the picture and at each other. Only the last decoder layer is read out, as inference needs it. Knows no video and no clock.

Shape suffixes: B batch, H W picture, F features, T cells of the last stage, N entity queries, R triplet queries, C classes, K predicates,
L = H W of the last stage as (rows, columns), 4 = box.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 256
HEADS = 8
HIDDEN = 2048
LAYERS = 6
NUM_ENTITIES = 100
NUM_TRIPLETS = 200
NUM_CLASSES = 152
NUM_PREDICATES = 52
"""Visual Genome's 150 classes and 50 predicates, each with the index 0 that it leaves unused and one for nothing."""
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""ResNet-50's: channels, blocks, stride."""
SHORT_SIDE, LONG_SIDE = 800, 1333
"""Its evaluation's picture: the shorter side 800, unless the longer would exceed 1333."""


class Published(NamedTuple):
    """What its authors measured."""

    name: str
    parameters_m: float
    fps: float
    device: str
    source: str


PUBLISHED = Published("RelTR", 63.7, 16.1, "RTX 2080 Ti", "Cong, Yang, Rosenhahn: RelTR, IEEE TPAMI 2023 (arXiv 2201.11460)")


class Triplets(NamedTuple):
    """What it says of a picture: entities, and subject-predicate-object by class logits and boxes."""

    class_logits_BNC: Tensor
    boxes_BN4: Tensor
    subject_logits_BRC: Tensor
    subject_boxes_BR4: Tensor
    object_logits_BRC: Tensor
    object_boxes_BR4: Tensor
    predicate_logits_BRK: Tensor


class Bottleneck(nn.Module):
    """ResNet's block of 1x1, 3x3 and 1x1 convolutions."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()),
            *(nn.Conv2d(channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()),
            *(nn.Conv2d(channels, 4 * channels, 1, bias=False), nn.BatchNorm2d(4 * channels)),
        )
        changes = stride > 1 or in_channels != 4 * channels
        short = nn.Sequential(nn.Conv2d(in_channels, 4 * channels, 1, stride, bias=False), nn.BatchNorm2d(4 * channels))
        self.short = short if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.short(x))


def resnet50() -> nn.Sequential:
    """Pictures (B, 3, H, W) to features (B, 2048, H / 32, W / 32)."""
    stem = (nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    blocks: list[nn.Module] = []
    in_channels = 64
    for channels, repeats, stride in STAGES:
        for repeat in range(repeats):
            blocks.append(Bottleneck(in_channels, channels, stride if repeat == 0 else 1))
            in_channels = 4 * channels
    return nn.Sequential(*stem, *blocks)


class Attend(nn.Module):
    """Multi-head attention, residual, layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found, _ = self.attention(query, key, value, need_weights=False)
        out: Tensor = self.norm(x + found)
        return out

    def looking(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and where it looked (B, queries, keys)."""
        found, where = self.attention(query, key, value, need_weights=True)
        return self.norm(x + found), where


class FeedForward(nn.Module):
    """Two linear layers, residual, layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(x + self.body(x))
        return out


class EncoderLayer(nn.Module):
    """The picture looks at itself."""

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.feed = Attend(), FeedForward()

    def forward(self, cells_BTF: Tensor, places_BTF: Tensor) -> Tensor:
        placed_BTF = cells_BTF + places_BTF
        out_BTF: Tensor = self.feed(self.attend(cells_BTF, placed_BTF, placed_BTF, cells_BTF))
        return out_BTF


class Branch(nn.Module):
    """Subjects, or objects: they look at the picture, then at the entities."""

    def __init__(self) -> None:
        super().__init__()
        self.at_picture, self.at_entities, self.feed = Attend(), Attend(), FeedForward()

    def forward(
        self, queries_BRF: Tensor, asks_RF: Tensor, cells_BTF: Tensor, placed_BTF: Tensor, entities_BNF: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The queries, and where they looked in the picture (B, R, T)."""
        seen_BRF, where_BRT = self.at_picture.looking(queries_BRF, queries_BRF + asks_RF, placed_BTF, cells_BTF)
        told_BRF = self.at_entities(seen_BRF, seen_BRF + asks_RF, entities_BNF, entities_BNF)
        return self.feed(told_BRF), where_BRT


class DecoderLayer(nn.Module):
    """Entities, then subjects and objects coupled."""

    def __init__(self) -> None:
        super().__init__()
        self.among_entities, self.entities_at_picture, self.feed_entities = Attend(), Attend(), FeedForward()
        self.among_pairs, self.subjects, self.objects = Attend(), Branch(), Branch()

    def forward(
        self, queries: tuple[Tensor, Tensor, Tensor], asks: tuple[Tensor, Tensor, Tensor], cells_BTF: Tensor, placed_BTF: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """`queries` are entities (B, N, F), subjects and objects (B, R, F); `asks` (N, F), (R, F), and which of both one is (2, F)."""
        entities_BNF, subjects_BRF, objects_BRF = queries
        entity_asks_NF, asks_RF, roles_2F = asks
        asking_BNF = entities_BNF + entity_asks_NF
        entities_BNF = self.among_entities(entities_BNF, asking_BNF, asking_BNF, entities_BNF)
        entities_BNF = self.entities_at_picture(entities_BNF, entities_BNF + entity_asks_NF, placed_BTF, cells_BTF)
        entities_BNF = self.feed_entities(entities_BNF)
        both_BSF = torch.cat([subjects_BRF, objects_BRF], 1)
        asking_BSF = both_BSF + torch.cat([asks_RF + roles_2F[0], asks_RF + roles_2F[1]])
        subjects_BRF, objects_BRF = self.among_pairs(both_BSF, asking_BSF, asking_BSF, both_BSF).chunk(2, 1)
        subjects_BRF, subject_maps_BRT = self.subjects(subjects_BRF, asks_RF, cells_BTF, placed_BTF, entities_BNF)
        objects_BRF, object_maps_BRT = self.objects(objects_BRF, asks_RF, cells_BTF, placed_BTF, entities_BNF)
        return (entities_BNF, subjects_BRF, objects_BRF), torch.stack([subject_maps_BRT, object_maps_BRT], 2)


class MaskHead(nn.Module):
    """Where subject and object are looked for, as 128 numbers a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *(nn.Upsample((28, 28)), nn.Conv2d(2, 64, 3, 2, 3), nn.ReLU(), nn.BatchNorm2d(64), nn.MaxPool2d(3, 2, 1)),
            *(nn.Conv2d(64, 32, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(32), nn.Flatten()),
        )
        self.linear = nn.Sequential(nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 128))

    def forward(self, maps_BR2T: Tensor, rows: int, columns: int) -> Tensor:
        batch, pairs = maps_BR2T.shape[:2]
        hidden = self.convolutions(maps_BR2T.reshape(batch * pairs, 2, rows, columns))
        out: Tensor = self.linear(hidden).reshape(batch, pairs, -1)
        return out


def readout(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise(widths):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class RelTR(nn.Module):
    """Pictures to a fixed number of entities and triplets."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = resnet50()
        self.project = nn.Conv2d(2048, WIDTH, 1)
        self.encoder = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))
        self.decoder = nn.ModuleList(DecoderLayer() for _ in range(LAYERS))
        self.entity_queries = nn.Parameter(torch.randn(2, NUM_ENTITIES, WIDTH))
        self.triplet_queries = nn.Parameter(torch.randn(3, NUM_TRIPLETS, WIDTH))
        self.roles = nn.Parameter(torch.randn(2, WIDTH))
        self.classes = nn.ModuleList(nn.Linear(WIDTH, NUM_CLASSES) for _ in range(3))
        self.boxes = nn.ModuleList(readout(WIDTH, WIDTH, WIDTH, 4) for _ in range(3))
        self.masks = MaskHead()
        self.predicates = readout(2 * WIDTH + 128, WIDTH, NUM_PREDICATES)

    def forward(self, images_B3HW: Tensor) -> Triplets:
        features_BFHW = self.project(self.backbone(images_B3HW))
        rows, columns = features_BFHW.shape[2:]
        cells_BTF = features_BFHW.flatten(2).transpose(1, 2)
        places_TF = sine_places(rows, columns, cells_BTF.device, cells_BTF.dtype)
        for layer in self.encoder:
            cells_BTF = layer(cells_BTF, places_TF)
        placed_BTF, batch = cells_BTF + places_TF, len(images_B3HW)
        asks = (self.entity_queries[0], self.triplet_queries[0], self.roles)
        entities, subjects, objects = (one.expand(batch, -1, -1) for one in (self.entity_queries[1], *self.triplet_queries[1:]))
        queries = (entities, subjects, objects)
        for layer in self.decoder:
            queries, maps_BR2T = layer(queries, asks, cells_BTF, placed_BTF)
        masks_BRM = self.masks(maps_BR2T, rows, columns)
        logits = [classify(one) for classify, one in zip(self.classes, queries, strict=True)]
        boxes = [locate(one).sigmoid() for locate, one in zip(self.boxes, queries, strict=True)]
        predicate_logits_BRK = self.predicates(torch.cat([*queries[1:], masks_BRM], 2))
        return Triplets(logits[0], boxes[0], logits[1], boxes[1], logits[2], boxes[2], predicate_logits_BRK)


def sine_places(rows: int, columns: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """DETR's fixed encoding of a cell's place (T, F): half of it for the row, half for the column."""
    steps = 10000.0 ** (2 * torch.arange(WIDTH // 4, device=device) / (WIDTH // 2))
    row_F = 2 * math.pi * (torch.arange(rows, device=device) + 1)[:, None] / rows / steps
    column_F = 2 * math.pi * (torch.arange(columns, device=device) + 1)[:, None] / columns / steps
    row_code = torch.stack([row_F.sin(), row_F.cos()], 2).flatten(1)[:, None].expand(-1, columns, -1)
    column_code = torch.stack([column_F.sin(), column_F.cos()], 2).flatten(1)[None].expand(rows, -1, -1)
    return torch.cat([row_code, column_code], 2).flatten(0, 1).to(dtype)


def own_size(source_height: int, source_width: int, short_side: int = SHORT_SIDE) -> tuple[int, int]:
    """Height and width at which its evaluation would look at such a picture."""
    scale = min(short_side / min(source_height, source_width), LONG_SIDE / max(source_height, source_width))
    return round(source_height * scale), round(source_width * scale)


def build() -> RelTR:
    """With random weights, ready to infer."""
    torch.manual_seed(0)
    return RelTR().eval().requires_grad_(False)


def num_parameters(network: nn.Module) -> int:
    """All weights; the authors' count leaves out 0.3 M, those that they freeze (first stage and batch norm)."""
    return sum(one.numel() for one in network.parameters())
