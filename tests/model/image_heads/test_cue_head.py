"""The cue head: grids are exact averages, cues land in the slots of the people they belong to, mirrors mirror, and it learns a hand."""

import torch

from model.image_heads.cue_head import (
    COLUMNS,
    GRID_FEATURES,
    MIN_PERSON,
    NUM_PEOPLE,
    ROWS,
    CueHead,
    box_columns,
    cell_centres,
    grids,
    widen,
)
from model.image_heads.fit_cues import fit_cues, measure_cues
from model.image_heads.gather import People, flipped

N = 10


def features(batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, 64, 8, 14, generator=generator), torch.randn(batch, 112, 4, 7, generator=generator)


def made_people(count: int, seed: int) -> People:
    """People whose left palm lies where feature 0 of the grid is hot, and touches something where feature 1 is."""
    generator = torch.Generator().manual_seed(seed)
    cells_X = torch.randint(ROWS * COLUMNS, (count,), generator=generator)
    grids_XFG = 0.1 * torch.randn(count, GRID_FEATURES, ROWS * COLUMNS, generator=generator)
    rows_X = torch.arange(count)
    touch_X = (torch.rand(count, generator=generator) < 0.5).float()
    grids_XFG[rows_X, 0, cells_X] = 4.0
    grids_XFG[rows_X, 1, cells_X] = 4.0 * touch_X
    palms_XH2 = cell_centres().T[cells_X].unsqueeze(1).expand(-1, 2, -1)
    only_left_XH = torch.tensor([[1.0, 0.0]]).expand(count, -1)
    return People(
        grids_XFG.reshape(count, GRID_FEATURES, ROWS, COLUMNS).half(), torch.zeros(count, 7), palms_XH2, only_left_XH,
        touch_X.unsqueeze(1).expand(-1, 2), torch.tensor([[0.0, 0.0, -1.0]]).expand(count, -1), torch.ones(count), torch.ones(count),
        torch.zeros(count, dtype=torch.long),
    )  # fmt: skip


def test_a_constant_map_gives_a_constant_grid_wherever_the_box_lies() -> None:
    maps = (torch.full((1, 64, 8, 14), 3.0), torch.full((1, 112, 4, 7), -2.0))
    rois_BM4 = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.31, 0.2, 0.4, 0.9], [0.5, 0.5, 0.5, 0.5]]])
    out = grids(maps, rois_BM4)
    assert out.shape == (1, 3, GRID_FEATURES, ROWS, COLUMNS)
    assert torch.allclose(out[:, :, :64], torch.tensor(3.0), atol=1e-5)
    assert torch.allclose(out[:, :, 64:], torch.tensor(-2.0), atol=1e-5)


def test_a_ramp_over_the_canvas_is_read_at_the_cells_of_the_box() -> None:
    ramp = (torch.arange(160.0) + 0.5) / 160
    maps = (ramp.expand(1, 64, 90, 160), ramp.expand(1, 112, 90, 160))
    row_G = grids(maps, torch.tensor([[[0.2, 0.1, 0.8, 0.9]]]))[0, 0, 0, 0]
    expected_G = 0.2 + 0.6 * (torch.arange(COLUMNS) + 0.5) / COLUMNS
    assert torch.allclose(row_G, expected_G, atol=2e-3)


def test_cues_land_in_the_slots_of_people_and_nowhere_else() -> None:
    generator = torch.Generator().manual_seed(1)
    head = CueHead().eval()
    boxes_BN4 = torch.tensor([0.1, 0.1, 0.5, 0.9]).expand(2, N, -1)
    people_BN = torch.zeros(2, N)
    people_BN[0, 3], people_BN[0, 7], people_BN[1, 0] = 0.9, 0.5, MIN_PERSON / 2
    cues = head(features(2, generator), boxes_BN4, people_BN, torch.full((2,), 1.75))
    assert cues.known_BN[0].nonzero().flatten().tolist() == [3, 7]
    assert cues.known_BN[1].sum() == 0
    for part in cues:
        assert part[0, [0, 1, 2, 4, 5, 6, 8, 9]].abs().sum() == 0
    assert torch.allclose(cues.posture_BN4[0, [3, 7]].sum(1), torch.ones(2), atol=1e-5)
    assert torch.allclose(cues.gaze_BN3[0, [3, 7]].norm(dim=1), torch.ones(2), atol=1e-5)
    palms = cues.hands_BNH2[0, [3, 7]]
    assert (palms[..., 0] > 0.05).all()
    assert (palms[..., 0] < 0.55).all()


def test_the_surest_people_are_looked_at_when_there_are_too_many() -> None:
    people_1N = torch.linspace(0.1, 0.9, N)[None]
    boxes_1N4 = torch.tensor([0.1, 0.1, 0.5, 0.9]).expand(1, N, -1)
    cues = CueHead().eval()(features(1, torch.Generator().manual_seed(1)), boxes_1N4, people_1N, torch.ones(1))
    assert cues.known_BN[0].nonzero().flatten().tolist() == list(range(N - NUM_PEOPLE, N))


def test_a_person_is_seen_alike_alone_and_among_others() -> None:
    generator = torch.Generator().manual_seed(2)
    head, maps = CueHead().eval(), features(1, generator)
    boxes_1N4 = torch.rand(1, N, 4, generator=generator).sort(2).values
    both = head(maps, boxes_1N4, torch.full((1, N), 0.0).index_fill_(1, torch.tensor([2, 5]), 0.8), torch.ones(1))
    alone = head(maps, boxes_1N4, torch.full((1, N), 0.0).index_fill_(1, torch.tensor([5]), 0.8), torch.ones(1))
    for one, other in zip(both, alone, strict=True):
        assert torch.allclose(one[0, 5], other[0, 5], atol=1e-5)


def test_the_mirror_of_a_mirror_is_the_person_again() -> None:
    people = made_people(5, 3)
    for one, other in zip(flipped(flipped(people)), people, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert not torch.allclose(flipped(people).palms_XH2, people.palms_XH2)


def test_box_columns_say_which_sides_are_cut() -> None:
    columns = box_columns(widen(torch.tensor([[[0.0, 0.2, 0.5, 1.0]]])), torch.tensor([1.75]))
    assert columns[0, 0, 3:].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_it_learns_to_find_a_hand_and_whether_it_touches() -> None:
    untrained = measure_cues(CueHead().eval(), made_people(200, 11))
    head = fit_cues(made_people(256, 10), epochs=40, seed=1)
    learned = measure_cues(head, made_people(200, 11))
    assert untrained.palms_found < 0.2
    assert learned.palms_found > 0.9
    assert learned.contact_right > 0.9
