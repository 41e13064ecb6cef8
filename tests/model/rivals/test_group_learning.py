"""Groups of predicates by frequency, the draw that balances them, and losses that know a part of the vocabulary."""

import pytest
import torch
from torch.nn import functional as F

from model.losses import PairTargets, relation_loss
from model.rivals.group_learning import covered_loss, covers, grouped, keep_rates, kept, predicate_counts, taught_loss
from model.samples import Plan, Samples
from model.scene_head import NOT_CONTACTING, SUPPORT, Relations
from model.train import DIM


def test_groups_go_from_frequent_to_rare_with_extremes_of_four_at_most_and_the_unseen_last() -> None:
    assert grouped(torch.tensor([5.0, 100.0, 26.0, 25.0, 0.0, 6.0])) == [[1, 2, 3], [5, 0, 4]]


def test_each_classifier_knows_its_own_group_and_all_before() -> None:
    assert covers([[1], [0, 2]], 3).tolist() == [[0, 1, 0], [1, 1, 1]]


def test_no_predicate_is_drawn_more_often_than_the_median_of_those_covered() -> None:
    counts_K = torch.tensor([100.0, 10.0, 20.0])
    rates_GK = keep_rates(torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]), counts_K)
    assert rates_GK[0].tolist() == pytest.approx([0.2, 1.0, 1.0])
    assert rates_GK[1].tolist() == pytest.approx([0.2, 1.0, 1.0])


def test_a_pair_is_drawn_by_its_rarest_covered_predicate_and_never_without_one() -> None:
    torch.manual_seed(0)
    labels_XK = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).repeat(2000, 1)
    drawn_X3 = kept(labels_XK, torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.25, 0.5, 1.0])).view(2000, 3).mean(0)
    assert drawn_X3.tolist() == pytest.approx([0.25, 0.5, 0.0], abs=0.05)


def _random_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels_XK = (torch.rand(40, 26, generator=generator) < 0.2).float()
    labels_XK[:, :3] = F.one_hot(torch.randint(3, (40,), generator=generator), 3).float()
    labels_XK[:, SUPPORT] = F.one_hot(torch.randint(4, (40,), generator=generator), 4)[:, :3].float()
    return torch.randn(40, 26, generator=generator), labels_XK


def test_a_classifier_that_knows_everything_has_the_common_loss() -> None:
    logits_XK, labels_XK = _random_pairs()
    ones_XK = torch.ones(40, 26)
    ours = covered_loss(logits_XK, labels_XK, ones_XK, torch.ones(26), torch.ones(40))
    nothing = torch.zeros(1)
    found = Relations(None, logits_XK[None], torch.ones(1, 40, 1), *[nothing] * 5)  # type: ignore[arg-type]
    common = relation_loss(found, PairTargets(labels_XK[None], torch.ones(1, 40)), torch.ones(1, 26))
    assert float(ours) == pytest.approx(float(common), rel=1e-5)


def test_predicates_that_a_classifier_does_not_know_have_no_gradient() -> None:
    logits_XK, labels_XK = _random_pairs()
    logits_XK.requires_grad_()
    cover_K = torch.zeros(26)
    cover_K[[0, 2, 5, 14, SUPPORT[0], NOT_CONTACTING]] = 1.0
    covered_loss(logits_XK, labels_XK, torch.ones(40, 26), cover_K, torch.ones(40)).backward()  # type: ignore[no-untyped-call]
    assert logits_XK.grad is not None
    moved_K = logits_XK.grad.abs().sum(0) > 0
    assert moved_K.nonzero().flatten().tolist() == sorted([0, 2, 5, 14, SUPPORT[0], NOT_CONTACTING])


def test_teaching_is_least_where_both_say_the_same() -> None:
    teacher_XK, _ = _random_pairs()
    ones = torch.ones(40, 26), torch.ones(40)
    same, other = taught_loss(teacher_XK, teacher_XK, *ones), taught_loss(teacher_XK + 1.0, teacher_XK, *ones)
    assert float(same) < float(other)


def test_counts_are_of_pairs_of_a_reported_person_and_a_real_thing() -> None:
    source = Samples(Plan(16, 1, 3), 1, DIM, "drawing")
    counts_K = predicate_counts([source])
    clip = source.frame(torch.arange(16), 0, torch.Generator().manual_seed(0))
    pairs = sum(
        1
        for row in range(16)
        for person in range(clip.targets.labels_BNNK.shape[1])
        for slot in range(clip.targets.real_BN.shape[1])
        if clip.entities.scores_BN[row, person] > 0 and clip.targets.real_BN[row, person] == 0
        and clip.entities.scores_BN[row, slot] > 0 and clip.targets.real_BN[row, slot] > 0
    )  # fmt: skip
    assert float(counts_K[:3].sum()) == pairs
