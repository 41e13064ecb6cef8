"""Verdicts change what they speak of, to the optimum, and nothing else: rows, logits far away, files."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional as F

from model.calibrate import Score
from model.checkpoint import FORMAT, HEAD, PROTOTYPES, Manifest, PredicateUse, digest, read_manifest, write_manifest
from model.commands.export import DEFAULT_FOLDER
from model.head_file import LoadedHead, load_head, save_head
from model.proxvp.adapt import RowProblem, Stiffness, adapt, solve_row
from model.proxvp.proxvp import weights_of
from model.proxvp.verdicts import Verdict, collect, offsets, read_verdicts, write_verdicts
from model.samples import Plan, Samples
from model.scene_head import SUPPORT, SceneHead, support_softmax
from model.text import load_prototypes
from model.train import DIM, new_head
from model.vocabulary import MODERATION_V1
from service.cli import main

HOLDING, SITTING = (MODERATION_V1.predicates.index(name) for name in ("holding", "sitting_on"))
PROTOTYPES_128 = load_prototypes(DIM)


def unit(seed: int, count: int) -> Tensor:
    return F.normalize(torch.randn(count, DIM, generator=torch.Generator().manual_seed(seed)), dim=1)


def head_of(seed: int = 0) -> SceneHead:
    torch.manual_seed(seed)
    return new_head(8).requires_grad_(False)


def near(centre_D: Tensor, count: int, seed: int) -> Tensor:
    return F.normalize(centre_D + 0.3 * unit(seed, count), dim=1)


def said(embeddings: Tensor, name: str, *, holds: bool) -> list[Verdict]:
    return [Verdict(tuple(one.tolist()), name, holds) for one in embeddings]


def logits(head: SceneHead, embeddings_XD: Tensor) -> Tensor:
    weights_KE = weights_of(head, PROTOTYPES_128)
    return embeddings_XD @ weights_KE[:, :-1].T + weights_KE[:, -1]


def test_a_head_agrees_with_verdicts_that_it_contradicted_and_says_how_near_the_optimum_it_is() -> None:
    """Things of one look were said to be held and are not; of another look they were missed and are."""
    head = head_of()
    wrong_D, missed_D = unit(1, 2)
    verdicts = said(near(wrong_D, 20, 2), "holding", holds=False) + said(near(missed_D, 20, 3), "holding", holds=True)
    (fitted,) = adapt(head, PROTOTYPES_128, verdicts, unit(4, 200), Stiffness())
    assert fitted.agreed_before <= 30
    assert fitted.agreed_after == 40
    assert fitted.certificate <= 1e-9
    fresh = logits(head, torch.cat([near(wrong_D, 10, 5), near(missed_D, 10, 6)]))[:, HOLDING]
    assert (fresh[:10] < 0).all()
    assert (fresh[10:] > 0).all()


def test_rows_without_verdicts_keep_their_very_bits() -> None:
    head, before = head_of(), head_of().state_dict()
    adapt(head, PROTOTYPES_128, said(unit(1, 10), "holding", holds=True), unit(4, 50), Stiffness())
    after = head.state_dict()
    others = [row for row in range(len(MODERATION_V1.predicates)) if row != HOLDING]
    assert not torch.equal(after["weight_delta"][HOLDING], before["weight_delta"][HOLDING])
    assert torch.equal(after["weight_delta"][others], before["weight_delta"][others])
    assert all(torch.equal(after[name][others], before[name][others]) for name in ("bias",))
    untouched = [name for name in before if name not in ("weight_delta", "bias")]
    assert all(torch.equal(after[name], before[name]) for name in untouched)


def test_pairs_unlike_the_reviewed_ones_keep_their_logits_nearly() -> None:
    """Ordinary pairs move by a tenth of what the reviewed ones do at most, and less where they are held stiffly than where they are not."""
    reviewed = near(unit(1, 1)[0], 30, 2)
    ordinary = unit(7, 400)
    moved = {}
    for kappa in (0.0, 20.0):
        head = head_of()
        before = logits(head, torch.cat([reviewed, ordinary]))[:, HOLDING]
        adapt(head, PROTOTYPES_128, said(reviewed, "holding", holds=True), ordinary, Stiffness(kappa=kappa))
        change = (logits(head, torch.cat([reviewed, ordinary]))[:, HOLDING] - before).abs()
        moved[kappa] = float(change[30:].mean() / change[:30].mean())
    assert moved[20.0] < 0.1
    assert moved[20.0] < moved[0.0]


def test_the_row_that_newton_finds_is_the_one_that_gradient_descent_creeps_to() -> None:
    rows = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)).double()
    signs = torch.tensor([1.0, -1.0] * 6).double()
    problem = RowProblem(rows, signs, torch.zeros(12).double(), torch.ones(4).double(), 0.5 * torch.eye(4).double())
    best, steps = solve_row(problem, 0.5)
    slow = torch.zeros(4).double()
    for _ in range(3000):
        slow = slow - 0.05 * problem.gradient(slow)
    assert torch.allclose(best, slow, atol=1e-4)
    assert steps < 12
    assert float(problem.value(problem.start_E) - problem.value(best)) <= problem.certificate(problem.start_E, 0.5)


def test_offsets_give_back_the_probabilities_of_softmax_groups() -> None:
    scores = torch.randn(5, len(MODERATION_V1.predicates), generator=torch.Generator().manual_seed(0))
    shift = torch.full_like(scores, 0.3)
    probs = torch.sigmoid(scores + offsets(scores, shift))
    assert torch.allclose(probs[:, :3], torch.softmax(scores[:, :3], 1), atol=1e-6)
    assert torch.allclose(probs[:, SUPPORT], support_softmax(scores + 0.3)[:, :3], atol=1e-6)
    assert torch.allclose(probs[:, HOLDING], torch.sigmoid(scores[:, HOLDING] + 0.3), atol=1e-6)


def test_what_a_head_reports_comes_back_as_verdicts_with_its_own_probability(tmp_path: Path) -> None:
    head, samples = head_of(), Samples(Plan(30, 1, 5), 1, DIM, "drawing")
    verdicts = collect(head, PROTOTYPES_128, samples, {"beneath": 0.1, "sitting_on": 0.1})
    assert {verdict.predicate for verdict in verdicts} == {"beneath", "sitting_on"}
    assert {verdict.holds for verdict in verdicts} == {True, False}
    for verdict in verdicts:
        if verdict.predicate == "sitting_on":
            logit = float(logits(head, torch.tensor(verdict.embedding)[None])[0, SITTING]) + verdict.offset
            assert 1.0 / (1.0 + np.exp(-logit)) >= 0.099
    write_verdicts(tmp_path / "v.jsonl", verdicts)
    assert read_verdicts(tmp_path / "v.jsonl", DIM) == verdicts


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is no verdict"),
        ('{"embedding": [1.0], "predicate": "holding", "holds": true}', "an embedding of 1 numbers, expected 128"),
        (json.dumps({"embedding": [0.0] * 128, "predicate": "hugging", "holds": True}), "'hugging' is no predicate"),
        ("", "holds no verdict"),
    ],
)
def test_what_is_no_verdict_is_refused_with_its_line(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_text(line)
    with pytest.raises(ValueError, match=message):
        read_verdicts(path, DIM)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A whole checkpoint whose detector and graph are stand-ins: the graph holds the head's weights by name, as an exported one does."""
    folder = tmp_path / "first"
    head = head_of()
    names = MODERATION_V1.predicates
    save_head(folder, LoadedHead(head, PROTOTYPES_128, tuple(Score(name, True, 0.7, 0.0, 0.0, 0.0, 0) for name in names)), {"recipe": {}})
    weights = [numpy_helper.from_array(getattr(head, name).numpy(), f"head.{name}") for name in ("weight_delta", "bias")]
    onnx.save_model(onnx.helper.make_model(onnx.helper.make_graph([], "head", [], [], weights)), str(folder / "first.onnx"))
    (folder / "detector.safetensors").write_bytes(b"detector")
    np.save(folder / PROTOTYPES, np.zeros((1, DIM), np.float32))
    files = {name: digest(folder / name) for name in ("detector.safetensors", HEAD, PROTOTYPES, "first.onnx")}
    uses = tuple(PredicateUse(name, True, 0.7) for name in names)
    write_manifest(folder, Manifest(FORMAT, "first", MODERATION_V1.name, MODERATION_V1.objects, uses, 32, 64, 129, DIM, "nothing", files))
    return folder


def test_the_command_writes_a_whole_new_checkpoint_and_leaves_the_old_one(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, path = tmp_path / "second", tmp_path / "v.jsonl"
    write_verdicts(path, said(unit(1, 12), "holding", holds=True))
    before = read_manifest(checkpoint)
    assert main(["adapt", "--checkpoint", str(checkpoint), "--verdicts", str(path), "--out", str(out), "--ordinary", "8"]) == 0
    assert "optimal within" in capsys.readouterr().out
    after, new = read_manifest(out), load_head(out)
    assert read_manifest(checkpoint) == before
    assert (after.name, after.onnx_file) == ("second", "second.onnx")
    assert after.model_hash != before.model_hash
    assert "holding (12)" in after.trained_on
    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(out / "second.onnx")).graph.initializer}
    assert np.array_equal(stored["head.weight_delta"], new.head.weight_delta.detach().numpy())
    assert np.array_equal(stored["head.bias"], new.head.bias.detach().numpy())


def test_a_checkpoint_is_never_adapted_in_place(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    write_verdicts(path, said(unit(1, 2), "holding", holds=True))
    assert main(["adapt", "--checkpoint", str(checkpoint), "--verdicts", str(path), "--out", str(checkpoint)]) == 2


def test_the_shipped_graph_holds_the_heads_weights_by_the_names_that_are_patched() -> None:
    names = {one.name for one in onnx.load(str(DEFAULT_FOLDER / read_manifest(DEFAULT_FOLDER).onnx_file)).graph.initializer}
    assert {"head.weight_delta", "head.bias"} <= names
