"""From the things of one frame to the relations between them: pair proposals, prototype memory, predicates. Knows no pixels.

Names come from the detector as a mixture of text prototypes, places from boxes, and what a person does also from the cues that
pixels give; appearance only passes through. A proposed pair of a person and a thing fills two rows: (person, thing) carries attention
and contact, (thing, person) carries the spatial group, so that every row reads as its sentence: "person holding cup", "bed beneath
person". Rows 0..R/2 are the first kind, R/2..R the second.

B batch, N entity slots, Q proposed pairs (R/2), R rows, K predicates (3 attention, 6 spatial, 17 contacting), C object classes,
P memory slots (C + K + 2 for the scene, then, where the head has episodes, rows of things and of pairs), D width,
4 = (x0, y0, x1, y1) as fractions of the canvas.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.cue_geometry import NUM_CUE_COLUMNS, Others, pair_cues
from model.entities import Cues, Entities
from model.episodes import NUM_ROWS, Episodes, Recalled, places_of
from model.geometry import NUM_COLUMNS, containment, gaps, pair_geometry, sides, to_height_units
from model.memory import ProxMemory
from model.vocabulary import ATTENTION, CONTACTING, SPATIAL

NUM_PAIRS = 32
NUM_SCENE_SLOTS = 2
PERSON = 0
HIDDEN = 256
PLACE_RATES = (0.5, 1.0, 2.0)
NUM_PLACE_COLUMNS = 8 + 4 * len(PLACE_RATES)
CONTEXT = 64
CUE_WIDTH = 64
LOGIT_SCALE = 8.0
NAME_SCALE = 12.0
GATE_START, GATE_FULL = 0.3, 0.5
"""Where only boxes are known, spatial relations fade in as the chance that the person touches or looks at the thing grows from the
first to the second. With cues each has its own measured threshold instead: the gate hid nearly all of what is truly behind."""
PERSON_FROM, PERSON_SURE = 0.5, 0.7
"""Shares of the name from which an entity may act as a person, and from which it fully does."""
CARRIER_RATIO = 1.3
"""How much larger a thing is than what it may carry."""

FIRST_SPATIAL = len(ATTENTION)
FIRST_CONTACT = FIRST_SPATIAL + len(SPATIAL)
SUPPORT = [FIRST_CONTACT + CONTACTING.index(name) for name in ("sitting_on", "standing_on", "lying_on")]
NOT_CONTACTING = FIRST_CONTACT + CONTACTING.index("not_contacting")


class SceneOutputs(NamedTuple):
    """One frame's graph and the advanced memory. Unused pairs are (0, 0) with probability 0."""

    class_probs_BNC: Tensor
    embeddings_BND: Tensor
    pairs_BR2: Tensor
    predicate_probs_BRK: Tensor
    memory_BPD: Tensor
    counts_BP: Tensor


class Proposals(NamedTuple):
    """The pairs worth a look: rows of person and thing, and a weight (0: unused)."""

    person_BQ: Tensor
    thing_BQ: Tensor
    weight_BQ: Tensor


class State(NamedTuple):
    """The memory of every stream of a batch, and the seconds since its previous frame."""

    memory_BPD: Tensor
    counts_BP: Tensor
    dt_B: Tensor


class Relations(NamedTuple):
    """What training needs of every proposed pair: raw logits, slot attention, class mixture; and name logits and the new memory.
    `embeddings_BQD` are the unit vectors that logits are linear in."""

    proposals: Proposals
    logits_BQK: Tensor
    thing_class_BQC: Tensor
    name_logits_BNC: Tensor
    pair_to_BQP: Tensor
    memory_BPD: Tensor
    counts_BP: Tensor
    embeddings_BQD: Tensor


class SceneHead(nn.Module):
    """Entities and a stream's memory to a scene graph, in fixed shapes without loops."""

    allowed_CK: Tensor
    shift_CK: Tensor
    kind_entity_P: Tensor
    kind_pair_P: Tensor

    def __init__(
        self,
        dim: int,
        num_classes: int,
        num_predicates: int,
        num_pairs: int = NUM_PAIRS,
        cue_columns: int = NUM_CUE_COLUMNS,
        *,
        episodes: bool = False,
    ) -> None:
        """`cue_columns` is 0 for a head that knows boxes alone, as nano-v0's; `episodes` give every thing and pair a memory of its own."""
        super().__init__()
        if cue_columns not in (0, NUM_CUE_COLUMNS):
            raise ValueError(f"a scene head has {NUM_CUE_COLUMNS} cue columns or 0 for boxes alone, got {cue_columns}")
        self.num_pairs, self.cue_columns = num_pairs, cue_columns
        self.is_gated = cue_columns == 0
        self.num_prototypes = num_classes + num_predicates + NUM_SCENE_SLOTS
        self.num_slots = self.num_prototypes + (2 * NUM_ROWS if episodes else 0)
        self.memory = ProxMemory(dim, self.num_prototypes)
        self.episodes = nn.ModuleList([Episodes(dim, 1), Episodes(dim, 2)]) if episodes else None
        self.place = nn.Linear(NUM_PLACE_COLUMNS, dim)
        self.geometry_norm = nn.LayerNorm(NUM_COLUMNS + 6)
        self.names = nn.ModuleList(nn.Linear(dim, CONTEXT) for _ in range(4))
        self.cues = nn.Sequential(nn.Linear(cue_columns, CUE_WIDTH), nn.GELU()) if cue_columns else None
        num_columns = NUM_COLUMNS + 6 + 4 * CONTEXT + (CUE_WIDTH if cue_columns else 0)
        self.pair = nn.Sequential(nn.Linear(num_columns, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, dim))
        self.weight_delta = nn.Parameter(torch.zeros(num_predicates, dim))
        self.bias = nn.Parameter(torch.full((num_predicates,), -2.0))
        self.register_buffer("allowed_CK", torch.ones(num_classes, num_predicates))
        self.register_buffer("shift_CK", torch.zeros(num_classes, num_predicates))
        self.register_buffer("kind_entity_P", _kind(num_classes, num_predicates, entity=True), persistent=False)
        self.register_buffer("kind_pair_P", _kind(num_classes, num_predicates, entity=False), persistent=False)

    def forward(
        self,
        entities: Entities,
        aspect_B: Tensor,
        memory_BPD: Tensor,
        counts_BP: Tensor,
        dt_B: Tensor,
        object_prototypes_CD: Tensor,
        predicate_prototypes_KD: Tensor,
    ) -> SceneOutputs:
        """`aspect_B` is the canvas's width over height, `dt_B` the seconds since the stream's previous frame."""
        found = self.relate(entities, aspect_B, memory_BPD, counts_BP, dt_B, object_prototypes_CD, predicate_prototypes_KD)
        probs_BQK = self.probabilities(found)
        pairs_BR2, probs_BRK = _both_directions(found.proposals, probs_BQK)
        return SceneOutputs(
            entities.class_probs_BNC, entities.appearance_BND, pairs_BR2, probs_BRK, found.memory_BPD, found.counts_BP
        )  # fmt: skip

    def relate(
        self,
        entities: Entities,
        aspect_B: Tensor,
        memory_BPD: Tensor,
        counts_BP: Tensor,
        dt_B: Tensor,
        object_prototypes_CD: Tensor,
        predicate_prototypes_KD: Tensor,
    ) -> Relations:
        """Read the memory as entities, pair them, read it again as pairs, then write both: the order of tokens does not matter."""
        boxes_BN4 = to_height_units(entities.boxes_BN4, aspect_B)
        class_BNC = sharpen(entities.class_probs_BNC)
        slots_PD = _slot_prototypes(object_prototypes_CD, predicate_prototypes_KD)
        state = State(memory_BPD, counts_BP, dt_B)
        bank = memory_BPD[:, : self.num_prototypes], counts_BP[:, : self.num_prototypes]
        slots_BPD = self.memory.effective(slots_PD, *bank)
        places_BN4 = places_of(boxes_BN4)

        entity_BND = F.normalize(class_BNC @ object_prototypes_CD + self._places(boxes_BN4, aspect_B), dim=2)
        entity_to_BNP = self.memory.attend(entity_BND, slots_BPD, self.kind_entity_P)
        things = self._recall(0, entity_BND, places_BN4, entities.scores_BN, state)
        entity_read_BND = _changed(self.memory.read(entity_BND, entity_to_BNP, slots_BPD), things)

        proposals = propose(boxes_BN4, class_BNC, entities.scores_BN, self.num_pairs)
        pair_BQD = self._pairs(entities, boxes_BN4, class_BNC, entity_read_BND, proposals, aspect_B)
        pair_to_BQP = self.memory.attend(pair_BQD, slots_BPD, self.kind_pair_P)
        places_BQ8 = torch.cat([take(places_BN4, proposals.person_BQ), take(places_BN4, proposals.thing_BQ)], 2)
        pairs = self._recall(1, pair_BQD, places_BQ8, proposals.weight_BQ, state)
        pair_read_BQD = _changed(self.memory.read(pair_BQD, pair_to_BQP, slots_BPD), pairs)

        read_BLD = torch.cat([entity_read_BND, pair_read_BQD], 1)
        evidence_BL = self.memory.weigh(read_BLD, torch.cat([entities.scores_BN, proposals.weight_BQ], 1))
        attention_BLP = torch.cat([entity_to_BNP, pair_to_BQP], 1)
        written = self.memory.write(self.memory.values(read_BLD), attention_BLP, evidence_BL, *bank, dt_B)
        own = [one for one in (things, pairs) if one is not None]
        after_BPD = torch.cat([written[0], *(one.rows_BED for one in own)], 1)
        after_BP = torch.cat([written[1], *(one.counts_BE for one in own)], 1)

        weights_KD = LOGIT_SCALE * predicate_prototypes_KD + self.weight_delta
        unit_BQD = F.normalize(pair_read_BQD, dim=2)
        logits_BQK = unit_BQD @ weights_KD.T + self.bias
        names_BNC = NAME_SCALE * F.normalize(entity_read_BND, dim=2) @ object_prototypes_CD.T
        return Relations(proposals, logits_BQK, take(class_BNC, proposals.thing_BQ), names_BNC, pair_to_BQP, after_BPD, after_BP, unit_BQD)

    def probabilities(self, found: Relations) -> Tensor:
        """Published probabilities (B, Q, K): priors, masks, one softmax for support; with boxes alone, the relevance gate."""
        logits_BQK = found.logits_BQK + found.thing_class_BQC @ self.shift_CK
        attention = torch.softmax(logits_BQK[..., :FIRST_SPATIAL], 2)
        raw_BQK = torch.sigmoid(logits_BQK)
        support_BQ3 = support_softmax(logits_BQK)[..., :3]
        sitting, standing, lying = SUPPORT
        contact = torch.cat([
            raw_BQK[..., FIRST_CONTACT:lying], support_BQ3[..., 2:], raw_BQK[..., lying + 1 : sitting], support_BQ3[..., :2],
            raw_BQK[..., standing + 1 :],
        ], 2)  # fmt: skip
        spatial_BQG = raw_BQK[..., FIRST_SPATIAL:FIRST_CONTACT]
        if self.is_gated:
            relevance = torch.maximum(attention[..., :1], 1.0 - raw_BQK[..., NOT_CONTACTING : NOT_CONTACTING + 1])
            spatial_BQG = spatial_BQG * ((relevance - GATE_START) / (GATE_FULL - GATE_START)).clamp(0.0, 1.0)
        probs_BQK = torch.cat([attention, spatial_BQG, contact], 2)
        used_BQ1 = (found.proposals.weight_BQ > 0).unsqueeze(2).to(probs_BQK.dtype)
        return probs_BQK * (found.thing_class_BQC @ self.allowed_CK) * used_BQ1

    def _recall(self, kind: int, tokens_BLD: Tensor, places_BLS: Tensor, weights_BL: Tensor, state: State) -> Recalled | None:
        """What the rows of one kind, things (0) or pairs (1), say of the tokens; None where the head has no episodes."""
        if self.episodes is None:
            return None
        first = self.num_prototypes + kind * NUM_ROWS
        rows = state.memory_BPD[:, first : first + NUM_ROWS], state.counts_BP[:, first : first + NUM_ROWS]
        found: Recalled = self.episodes[kind](tokens_BLD, places_BLS, weights_BL, *rows, state.dt_B)
        return found

    def _places(self, boxes_BN4: Tensor, aspect_B: Tensor) -> Tensor:
        """What a box says of an entity: where it is, coarse and fine, and how large (B, N, D)."""
        width_BN, height_BN = sides(boxes_BN4)
        aspect_B1 = aspect_B[:, None].expand_as(width_BN)
        columns = [boxes_BN4[..., 0] / aspect_B1, boxes_BN4[..., 1], boxes_BN4[..., 2] / aspect_B1, boxes_BN4[..., 3]]
        columns += [width_BN.log(), height_BN.log(), (width_BN / height_BN).log(), aspect_B1]
        for low, high in ((columns[0], columns[2]), (columns[1], columns[3])):
            waves = [math.pi * rate * (low + high) for rate in PLACE_RATES]
            columns += [wave.sin() for wave in waves] + [wave.cos() for wave in waves]
        out: Tensor = self.place(torch.stack(columns, 2))
        return out

    def _pairs(
        self, entities: Entities, boxes_BN4: Tensor, class_BNC: Tensor, entity_BND: Tensor, proposals: Proposals, aspect_B: Tensor
    ) -> Tensor:  # fmt: skip
        """Unit embeddings of the proposed pairs: both ends, what carries the thing, what else the person overlaps, geometry and cues."""
        person_BQ, thing_BQ = proposals.person_BQ, proposals.thing_BQ
        scores_BN = entities.scores_BN
        inside_BNN = containment(boxes_BN4)
        thing_share_BN = (1.0 - class_BNC[..., PERSON]) * scores_BN
        carrier_BNN = inside_BNN * thing_share_BN[:, None] * _larger(boxes_BN4) * _apart(boxes_BN4)
        around_BNN = inside_BNN * thing_share_BN[:, None]
        carriers_BND, around_BND = carrier_BNN @ entity_BND, around_BNN @ entity_BND
        own_BQ1 = _cell(around_BNN, person_BQ, thing_BQ).unsqueeze(2)
        others_BQD = take(around_BND, person_BQ) - own_BQ1 * take(entity_BND, thing_BQ)
        ends = [take(entity_BND, thing_BQ), take(entity_BND, person_BQ), take(carriers_BND, thing_BQ), others_BQD]
        context = [layer(end) for layer, end in zip(self.names, ends, strict=True)]
        rivals = _rival_people(boxes_BN4, class_BNC[..., PERSON] * scores_BN, inside_BNN, person_BQ, thing_BQ)
        carried_BQ = take(carrier_BNN.amax(2, keepdim=True), thing_BQ)[..., 0]
        scores = [carried_BQ, *(take(scores_BN.unsqueeze(2), rows)[..., 0] for rows in (person_BQ, thing_BQ))]
        person_BQ4, thing_BQ4 = take(boxes_BN4, person_BQ), take(boxes_BN4, thing_BQ)
        geometry = pair_geometry(person_BQ4, thing_BQ4, aspect_B)
        columns = [self.geometry_norm(torch.cat([geometry, torch.stack([*rivals, *scores], 2)], 2)), *context]
        if self.cues is not None:
            others = Others(boxes_BN4, thing_share_BN, thing_BQ)
            columns.append(self.cues(pair_cues(_cues_of(entities.cues, person_BQ), aspect_B, person_BQ4, thing_BQ4, others)))
        return F.normalize(self.pair(torch.cat(columns, 2)), dim=2)


def sharpen(class_probs_BNC: Tensor) -> Tensor:
    """A detector's independent class probabilities as one mixture: squared, so that a long faint tail does not blur the name."""
    squared_BNC = class_probs_BNC * class_probs_BNC
    return squared_BNC / squared_BNC.sum(2, keepdim=True).clamp(min=1e-9)


def propose(boxes_BN4: Tensor, class_BNC: Tensor, scores_BN: Tensor, num_pairs: int) -> Proposals:
    """The pairs of a person and a thing that are surest and nearest to each other, best first."""
    count = boxes_BN4.shape[1]
    gap_x_BNN, gap_y_BNN = gaps(boxes_BN4[:, :, None], boxes_BN4[:, None])
    _, height_BN = sides(boxes_BN4)
    near_BNN = 1.0 / (1.0 + 3.0 * (gap_x_BNN + gap_y_BNN) / height_BN[:, :, None])
    is_person_BN = ((class_BNC[..., PERSON] - PERSON_FROM) / (PERSON_SURE - PERSON_FROM)).clamp(0.0, 1.0)
    person_BN, thing_BN = is_person_BN * scores_BN, (class_BNC.sum(2) - class_BNC[..., PERSON]) * scores_BN
    affinity_BNN = person_BN[:, :, None] * thing_BN[:, None] * near_BNN * _apart(boxes_BN4)
    weight_BQ, cell_BQ = affinity_BNN.flatten(1).topk(num_pairs, dim=1)
    person_BQ = torch.div(cell_BQ, count, rounding_mode="floor")
    return Proposals(person_BQ, cell_BQ - person_BQ * count, torch.where(weight_BQ > 1e-4, weight_BQ, 0.0))


def support_softmax(logits: Tensor) -> Tensor:
    """Sitting, standing, lying or none of them (..., 4): a person has one of these with a thing at a time."""
    chosen = torch.cat([logits[..., row : row + 1] for row in SUPPORT], -1)
    return torch.softmax(F.pad(chosen, (0, 1)), -1)


def take(rows_BNX: Tensor, index_BQ: Tensor) -> Tensor:
    """Rows of the second axis by index: (B, Q, X)."""
    return rows_BNX.gather(1, index_BQ.unsqueeze(2).expand(-1, -1, rows_BNX.shape[2]))


def _changed(read_BLD: Tensor, recalled: Recalled | None) -> Tensor:
    return read_BLD if recalled is None else read_BLD + recalled.change_BLD


def _cues_of(cues: Cues, person_BQ: Tensor) -> Cues:
    """The cues of each pair's person."""
    taken = [take(cue.reshape(*cue.shape[:2], -1), person_BQ) for cue in cues]
    return Cues(*(rows.reshape(*person_BQ.shape, *cue.shape[2:]) for rows, cue in zip(taken, cues, strict=True)))


def _cell(table_BNM: Tensor, row_BQ: Tensor, column_BQ: Tensor) -> Tensor:
    return take(table_BNM, row_BQ).gather(2, column_BQ.unsqueeze(2)).squeeze(2)


def _apart(boxes_BN4: Tensor) -> Tensor:
    """(N, N): 1 for two entities, 0 for one with itself."""
    return 1.0 - torch.eye(boxes_BN4.shape[1], dtype=boxes_BN4.dtype, device=boxes_BN4.device)


def _larger(boxes_BN4: Tensor) -> Tensor:
    """(B, N, N): 1 where box j is clearly larger than box i."""
    width_BN, height_BN = sides(boxes_BN4)
    area_BN = width_BN * height_BN
    return (area_BN[:, None] > CARRIER_RATIO * area_BN[:, :, None]).to(boxes_BN4.dtype)


def _rival_people(
    boxes_BN4: Tensor, person_BN: Tensor, inside_BNN: Tensor, person_BQ: Tensor, thing_BQ: Tensor
) -> list[Tensor]:  # fmt: skip
    """How much of the thing other people cover, how near the nearest of them is, and whether there is one."""
    count = boxes_BN4.shape[1]
    other_BQN = (person_BQ.unsqueeze(2) != torch.arange(count, device=boxes_BN4.device)).to(boxes_BN4.dtype) * person_BN[:, None]
    covered_BQN = take(inside_BNN, thing_BQ) * other_BQN
    gap_x_BQN, gap_y_BQN = gaps(take(boxes_BN4, thing_BQ)[:, :, None], boxes_BN4[:, None])
    near_BQN = other_BQN / (1.0 + 3.0 * (gap_x_BQN + gap_y_BQN))
    return [covered_BQN.amax(2), near_BQN.amax(2), other_BQN.amax(2)]


def _slot_prototypes(object_prototypes_CD: Tensor, predicate_prototypes_KD: Tensor) -> Tensor:
    """Text prototypes of all memory slots: objects, predicates, and the two means that stand for the scene."""
    means = [F.normalize(group.mean(0, keepdim=True), dim=1) for group in (object_prototypes_CD, predicate_prototypes_KD)]
    return torch.cat([object_prototypes_CD, predicate_prototypes_KD, *means], 0)


def _kind(num_classes: int, num_predicates: int, *, entity: bool) -> Tensor:
    """0 where entities (or pairs) may use a slot: objects (or predicates) and the scene."""
    closed = -1e4
    objects = torch.full((num_classes,), 0.0 if entity else closed)
    predicates = torch.full((num_predicates,), closed if entity else 0.0)
    return torch.cat([objects, predicates, torch.zeros(NUM_SCENE_SLOTS)])


def _both_directions(proposals: Proposals, probs_BQK: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (person, thing) with attention and contact, then (thing, person) with the spatial group."""
    used_BQ = (proposals.weight_BQ > 0).to(torch.int64)
    person_BQ, thing_BQ = proposals.person_BQ * used_BQ, proposals.thing_BQ * used_BQ
    forth_BQ2, back_BQ2 = torch.stack([person_BQ, thing_BQ], 2), torch.stack([thing_BQ, person_BQ], 2)
    is_spatial_K = torch.zeros_like(probs_BQK[:1, :1])
    is_spatial_K[..., FIRST_SPATIAL:FIRST_CONTACT] = 1.0
    return torch.cat([forth_BQ2, back_BQ2], 1), torch.cat([probs_BQK * (1.0 - is_spatial_K), probs_BQK * is_spatial_K], 1)
