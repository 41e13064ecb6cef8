"""The scene head: proposals, directions, groups, gate, and that it leaves PyTorch unchanged."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map

from model.cue_geometry import NUM_CUE_COLUMNS
from model.entities import Cues, Entities, no_cues
from model.scene_head import FIRST_CONTACT, FIRST_SPATIAL, NUM_PAIRS, SUPPORT, SceneHead, SceneOutputs, propose, sharpen, support_softmax
from model.text import load_prototypes
from model.vocabulary import MODERATION_V1

N, D, C, K = 32, 128, 101, 26
PROTOTYPES = load_prototypes(D)


def head(seed: int = 0) -> SceneHead:
    torch.manual_seed(seed)
    return SceneHead(D, C, K).eval()


def entities(things: list[tuple[str, float, tuple[float, float, float, float]]]) -> Entities:
    """A frame of (name, score, box)."""
    boxes, scores, probs = torch.zeros(1, N, 4), torch.zeros(1, N), torch.zeros(1, N, C)
    for slot, (name, score, box) in enumerate(things):
        boxes[0, slot], scores[0, slot] = torch.tensor(box), score
        probs[0, slot, MODERATION_V1.objects.index(name)] = score
    return Entities(boxes, scores, probs, F.normalize(torch.ones(1, N, D), dim=2), no_cues(boxes))


def crowd(batch: int, seed: int) -> Entities:
    """Random frames with about half of the slots used."""
    generator = torch.Generator().manual_seed(seed)
    ends = torch.rand(batch, N, 2, 2, generator=generator).sort(dim=2).values
    scores = torch.rand(batch, N, generator=generator) * (torch.rand(batch, N, generator=generator) > 0.5)
    probs = torch.rand(batch, N, C, generator=generator) ** 6 * (scores > 0).unsqueeze(2)
    probs[..., 0] *= 3
    looks = F.normalize(torch.randn(batch, N, D, generator=generator), dim=2)
    return Entities(ends.flatten(2), scores, probs, looks, random_cues(batch, generator))


def random_cues(batch: int, generator: torch.Generator) -> Cues:
    """Half of all slots have cues of a person, whatever is in them."""
    known = (torch.rand(batch, N, generator=generator) > 0.5).float()
    hands = torch.rand(batch, N, 2, 2, generator=generator) * known[..., None, None]
    seen, contact = (torch.rand(batch, N, 2, generator=generator) * known.unsqueeze(2) for _ in range(2))
    gaze = F.normalize(torch.randn(batch, N, 3, generator=generator), dim=2) * known.unsqueeze(2)
    face = torch.rand(batch, N, generator=generator) * known
    posture = torch.rand(batch, N, 4, generator=generator).softmax(2) * known.unsqueeze(2)
    return Cues(hands, seen, contact, gaze, face, posture, known)


def look(network: SceneHead, frame: Entities, memory: tuple[Tensor, Tensor] | None = None) -> SceneOutputs:
    batch = len(frame.scores_BN)
    state = memory or (torch.zeros(batch, network.num_slots, D), torch.zeros(batch, network.num_slots))
    with torch.no_grad():
        out: SceneOutputs = network(frame, torch.full((batch,), 1.75), *state, torch.full((batch,), 0.1), *PROTOTYPES)
    return out


PERSON_CUP = [("person", 0.9, (0.3, 0.1, 0.6, 1.0)), ("cup", 0.8, (0.5, 0.4, 0.55, 0.5)), ("car", 0.7, (0.9, 0.4, 1.0, 0.5))]


def test_a_person_is_paired_with_every_thing_the_surest_and_nearest_first() -> None:
    out = look(head(), entities(PERSON_CUP))
    assert out.pairs_BR2[0, :3].tolist() == [[0, 1], [0, 2], [0, 0]]


def test_every_pair_has_a_second_row_the_other_way_round_that_carries_the_spatial_group() -> None:
    out = look(head(), entities(PERSON_CUP))
    forth, back = out.predicate_probs_BRK[0, :NUM_PAIRS], out.predicate_probs_BRK[0, NUM_PAIRS:]
    assert out.pairs_BR2[0, NUM_PAIRS : NUM_PAIRS + 3].tolist() == [[1, 0], [2, 0], [0, 0]]
    assert float(forth[:, FIRST_SPATIAL:FIRST_CONTACT].abs().max()) == 0.0
    assert float(back[:, :FIRST_SPATIAL].abs().max()) == 0.0
    assert float(back[:, FIRST_CONTACT:].abs().max()) == 0.0


def test_unused_pairs_are_0_0_with_probability_0() -> None:
    out = look(head(), entities(PERSON_CUP))
    assert out.pairs_BR2[0, 2:NUM_PAIRS].abs().max() == 0
    assert float(out.predicate_probs_BRK[0, 2:NUM_PAIRS].abs().max()) == 0.0


@pytest.mark.parametrize("things", [[], PERSON_CUP[:1], PERSON_CUP[1:]])
def test_without_both_a_person_and_a_thing_there_is_no_relation(things: list[tuple[str, float, tuple[float, float, float, float]]]) -> None:
    out = look(head(), entities(things))
    assert float(out.predicate_probs_BRK.abs().max()) == 0.0
    assert all(bool(torch.isfinite(tensor).all()) for tensor in out)


def test_attention_sums_to_one_and_support_to_at_most_one() -> None:
    out = look(head(), entities(PERSON_CUP))
    assert float(out.predicate_probs_BRK[0, 0, :FIRST_SPATIAL].sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(out.predicate_probs_BRK[0, 0, SUPPORT].sum()) < 1.0


def test_support_is_one_softmax_with_none() -> None:
    logits = torch.zeros(K)
    logits[SUPPORT[0]] = float(np.log(3.0))
    torch.testing.assert_close(support_softmax(logits), torch.tensor([1 / 2, 1 / 6, 1 / 6, 1 / 6]))


def test_an_impossible_predicate_of_a_class_is_masked() -> None:
    network = head()
    holding = MODERATION_V1.predicates.index("holding")
    network.allowed_CK[MODERATION_V1.objects.index("car"), holding] = 0.0
    probs = look(network, entities(PERSON_CUP)).predicate_probs_BRK[0, :, holding]
    assert float(probs[0]) > 0.0
    assert float(probs[1]) == 0.0


@pytest.mark.parametrize(("cue_columns", "not_contacting", "shown"), [(0, -8.0, True), (0, 8.0, False), (NUM_CUE_COLUMNS, 8.0, True)])
def test_a_head_of_boxes_alone_shows_spatial_relations_only_of_what_is_touched_or_looked_at(
    cue_columns: int, not_contacting: float, shown: bool
) -> None:
    network = SceneHead(D, C, K, cue_columns=cue_columns).eval()
    with torch.no_grad():
        network.bias.fill_(0.0)
        network.bias[MODERATION_V1.predicates.index("looking_at")] = -20.0
        network.bias[MODERATION_V1.predicates.index("not_contacting")] = not_contacting
    spatial = look(network, entities(PERSON_CUP)).predicate_probs_BRK[0, NUM_PAIRS, FIRST_SPATIAL:FIRST_CONTACT]
    assert (float(spatial.max()) > 0.05) == shown


def test_what_a_person_does_changes_with_cues_only_in_a_head_that_reads_them() -> None:
    frame = entities(PERSON_CUP)
    hands = torch.zeros(1, N, 2, 2)
    hands[0, 0] = torch.tensor([[0.52, 0.45], [0.52, 0.45]])
    seen = frame._replace(cues=frame.cues._replace(hands_BNH2=hands, hand_seen_BNH=torch.ones(1, N, 2), known_BN=torch.ones(1, N)))
    torch.manual_seed(0)
    blind = SceneHead(D, C, K, cue_columns=0).eval()
    assert torch.equal(look(blind, frame).predicate_probs_BRK, look(blind, seen).predicate_probs_BRK)
    assert not torch.allclose(look(head(), frame).predicate_probs_BRK, look(head(), seen).predicate_probs_BRK, atol=1e-4)


def test_a_head_of_another_number_of_cue_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="got 7"):
        SceneHead(D, C, K, cue_columns=7)


def test_a_faint_tail_does_not_blur_a_name() -> None:
    probs = torch.full((1, 1, C), 0.02)
    probs[..., 41] = 0.6
    assert float(sharpen(probs)[0, 0, 41]) > 0.89


def test_a_pair_of_people_is_not_proposed() -> None:
    boxes = torch.tensor([[[0.1, 0.1, 0.3, 0.9], [0.2, 0.1, 0.4, 0.9]] + [[0.0] * 4] * 30])
    people = torch.zeros(1, N, C)
    people[0, :2, 0] = 1.0
    scores = torch.cat([torch.full((1, 2), 0.9), torch.zeros(1, 30)], 1)
    assert float(propose(boxes, people, scores, NUM_PAIRS).weight_BQ.max()) == 0.0


def test_the_order_of_entities_does_not_change_what_is_remembered() -> None:
    network, frame = head(), crowd(1, 3)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    mixed = tree_map(lambda tensor: tensor[:, order], frame)
    straight, shuffled = look(network, frame), look(network, mixed)
    torch.testing.assert_close(straight.memory_BPD, shuffled.memory_BPD, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(straight.counts_BP, shuffled.counts_BP, rtol=1e-4, atol=1e-5)


def test_a_batch_gives_what_its_frames_give_alone() -> None:
    network, frame = head(), crowd(3, 4)
    together = look(network, frame)
    for row in range(3):
        alone = look(network, _row(frame, row))
        torch.testing.assert_close(together.predicate_probs_BRK[row], alone.predicate_probs_BRK[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(together.memory_BPD[row], alone.memory_BPD[0], rtol=1e-4, atol=1e-5)


def _row(frame: Entities, row: int) -> Entities:
    alone: Entities = tree_map(lambda tensor: tensor[row : row + 1], frame)
    return alone


def test_a_state_stored_at_half_precision_goes_on_nearly_unchanged() -> None:
    network = head()
    state = look(network, crowd(1, 5))
    kept = (state.memory_BPD.half().float(), state.counts_BP)
    exact, stored = look(network, crowd(1, 6), (state.memory_BPD, state.counts_BP)), look(network, crowd(1, 6), kept)
    torch.testing.assert_close(exact.predicate_probs_BRK, stored.predicate_probs_BRK, rtol=0, atol=2e-3)


class _Flat(nn.Module):
    """The head with plain tensors as inputs."""

    def __init__(self, network: SceneHead) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        boxes: Tensor,
        scores: Tensor,
        probs: Tensor,
        looks: Tensor,
        hands: Tensor,
        hand_seen: Tensor,
        contact: Tensor,
        gaze: Tensor,
        face: Tensor,
        posture: Tensor,
        known: Tensor,
        memory: Tensor,
        counts: Tensor,
        dt: Tensor,
    ) -> SceneOutputs:
        aspect = torch.full_like(dt, 1.75)
        cues = Cues(hands, hand_seen, contact, gaze, face, posture, known)
        out: SceneOutputs = self.network(Entities(boxes, scores, probs, looks, cues), aspect, memory, counts, dt, *PROTOTYPES)
        return out


def flat(frame: Entities) -> list[Tensor]:
    """The tensors of a frame in the order of `_Flat`."""
    return [*frame[:-1], *frame.cues]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_onnx_runtime_fed_its_own_memory_stays_with_pytorch_for_500_frames(tmp_path: Path) -> None:
    network, batch = _Flat(head(2)).eval(), 2
    state = (torch.zeros(batch, network.network.num_slots, D), torch.zeros(batch, network.network.num_slots))
    path = tmp_path / "head.onnx"
    torch.onnx.export(
        network, (*flat(crowd(batch, 0)), *state, torch.full((batch,), 0.1)), str(path), dynamo=True, external_data=False, verbose=False
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    theirs = [tensor.numpy() for tensor in state]
    for frame in range(500):
        seen, dt = crowd(batch, frame % 40), torch.full((batch,), 0.02 + 0.1 * (frame % 3))
        with torch.no_grad():
            ours = network(*flat(seen), *state, dt)
        state = (ours.memory_BPD, ours.counts_BP)
        feed = dict(zip(names, [*(tensor.numpy() for tensor in flat(seen)), *theirs, dt.numpy()], strict=True))
        outputs = session.run(None, feed)
        theirs = [np.asarray(output) for output in outputs[4:6]]
    np.testing.assert_allclose(theirs[0], state[0].numpy(), atol=1e-4)
    np.testing.assert_allclose(theirs[1], state[1].numpy(), atol=1e-3)
    np.testing.assert_allclose(np.asarray(outputs[3]), ours.predicate_probs_BRK.numpy(), atol=1e-4)
