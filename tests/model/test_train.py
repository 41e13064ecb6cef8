"""A tiny training run learns, repeats, and writes a head that loads."""

import json
from pathlib import Path

import pytest
import torch

from model.calibrate import average_precision, observe
from model.head_file import load_head
from model.priors import PRIORS, allowed, shift
from model.samples import Plan, Samples
from model.scene_head import NUM_PAIRS
from model.text import load_prototypes
from model.train import DIM, Recipe, new_head, train
from model.vocabulary import CONTACTING, MODERATION_V1
from model.world.things import GROUPS, INDEX
from service.cli import main

TINY = Recipe(seed=11, num_scenes=1536, num_clips=8, epochs=3, batch=64, clip_batch=8, workers=1)
FREQUENT = ("beneath", "in_front_of", "holding", "sitting_on", "not_contacting")
MARGIN = 0.15


def mean_precision(head: object, samples: Samples) -> float:
    from model.scene_head import SceneHead

    assert isinstance(head, SceneHead)
    seen = observe(head, load_prototypes(DIM), samples)
    rows = [MODERATION_V1.predicates.index(name) for name in FREQUENT]
    return sum(average_precision(seen.probs_XK[:, row], seen.labels_XK[:, row]) for row in rows) / len(rows)


def test_a_minute_of_training_beats_an_untrained_head_by_a_wide_margin() -> None:
    held_out = Samples(Plan(300, 1, 99), 1, DIM, "held out")
    torch.manual_seed(0)
    untrained = mean_precision(new_head(12).eval(), held_out)
    trained = mean_precision(train(TINY).head, held_out)
    assert trained > untrained + MARGIN


def test_the_same_seed_trains_the_same_head() -> None:
    recipe = Recipe(seed=3, num_scenes=64, num_clips=4, epochs=1, batch=32, clip_batch=4, workers=1)
    first, second = (train(recipe).head.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_world_does_not_depend_on_how_many_processes_draw_it() -> None:
    alone, together = (Samples(Plan(600, 1, 5), workers, DIM, "drawing") for workers in (1, 2))
    rows = torch.arange(600)
    first, second = (one.frame(rows, 0, torch.Generator().manual_seed(0)) for one in (alone, together))
    assert torch.equal(first.entities.boxes_BN4, second.entities.boxes_BN4)
    assert torch.equal(first.targets.labels_BNNK, second.targets.labels_BNNK)


def test_the_command_writes_a_head_that_loads_with_every_predicates_operating_point(tmp_path: Path) -> None:
    options = ["--scenes", "64", "--clips", "4", "--held-out", "4", "--epochs", "1", "--workers", "1", "--seed", "2"]
    assert main(["train", *options, "--out", str(tmp_path)]) == 0
    loaded = load_head(tmp_path)
    assert loaded.head.num_pairs == NUM_PAIRS
    assert tuple(score.name for score in loaded.scores) == MODERATION_V1.predicates
    assert all(score.threshold >= 0.7 for score in loaded.scores)
    assert json.loads((tmp_path / "head.json").read_text())["recipe"]["num_scenes"] == 64


def test_training_on_nothing_is_refused(tmp_path: Path) -> None:
    assert main(["train", "--scenes", "0", "--out", str(tmp_path)]) == 2


def test_a_head_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "head.json").write_text(json.dumps({"vocabulary": "other-v9", "predicates": []}))
    with pytest.raises(ValueError, match="other-v9"):
        load_head(tmp_path)


def test_the_priors_name_only_known_predicates_and_every_group() -> None:
    assert set(PRIORS) == set(GROUPS)
    assert {name for row in PRIORS.values() for name in row} <= set(CONTACTING)


@pytest.mark.parametrize(
    ("name", "predicate", "possible"),
    [("cup", "sitting_on", False), ("chair", "sitting_on", True), ("tie", "wearing", True), ("bed", "in", True), ("cup", "in", False)],
)
def test_impossible_cells_are_masked(name: str, predicate: str, possible: bool) -> None:
    assert bool(allowed()[INDEX[name], MODERATION_V1.predicates.index(predicate)]) == possible


def test_odds_move_half_way_to_the_priors_at_half_strength() -> None:
    """A cup is held in 30 of 100 by the table; learned at 50 of 100, logits fall by half of ln(.5/.5) - ln(.3/.7) = .847."""
    frequency = torch.full((101, 26), 0.5)
    holding = MODERATION_V1.predicates.index("holding")
    assert float(shift(frequency, 0.5)[INDEX["cup"], holding]) == pytest.approx(-0.8473 / 2, abs=1e-3)
