"""Things built from seeds: sane sizes, sound meshes, words of the vocabulary, the same thing for the same seed."""

import numpy as np
import pytest

from model.synth.primitives import Primitive, build, drape_blanket, kinds, labels, thing_rng
from model.vocabulary import MODERATION_V1

EVERY_KIND = [(label, kind) for label in labels() for kind in kinds(label)]


def _build(label: str, kind: str | None = None, number: int = 0) -> Primitive:
    return build(label, thing_rng("train", label, number), kind)


def test_every_label_is_a_word_of_the_vocabulary() -> None:
    assert set(labels()) <= set(MODERATION_V1.objects)


@pytest.mark.parametrize(("label", "kind"), EVERY_KIND)
def test_meshes_are_finite_and_parts_stay_within_them(label: str, kind: str) -> None:
    thing = _build(label, kind)
    assert np.isfinite(thing.vertices_V3).all()
    np.testing.assert_allclose(np.linalg.norm(thing.normals_V3, axis=1), 1.0, atol=1e-4)
    for part in thing.parts:
        assert 0 <= part.vertices_V.min() <= part.vertices_V.max() < len(thing.vertices_V3)
        assert 0 <= part.faces_F3.min() <= part.faces_F3.max() < len(part.vertices_V)
        assert (part.uv_V2 is None) == (part.texture_HW3 is None)
        assert part.uv_V2 is None or len(part.uv_V2) == len(part.vertices_V)
    assert all(0 <= number < len(thing.parts) for number in thing.glowing)


@pytest.mark.parametrize(("label", "kind"), EVERY_KIND)
def test_things_stand_on_the_ground_and_are_held_where_they_are(label: str, kind: str) -> None:
    for number in range(3):
        thing = _build(label, kind, number)
        low, high = thing.vertices_V3.min(0), thing.vertices_V3.max(0)
        assert abs(low[1]) < 0.035
        assert np.all(np.array(thing.grip_3) > low - 0.06)
        assert np.all(np.array(thing.grip_3) < high + 0.06)


LONGEST_M = [
    ("cup", 0.08, 0.16),
    ("bottle", 0.2, 0.33),
    ("cell phone", 0.14, 0.17),
    ("pillow", 0.35, 0.8),
    ("broom", 1.1, 1.5),
    ("knife", 0.2, 0.35),
]


@pytest.mark.parametrize(("label", "shortest", "longest"), LONGEST_M)
def test_things_are_as_large_as_in_life(label: str, shortest: float, longest: float) -> None:
    for number in range(10):
        assert shortest <= max(_build(label, None, number).size) <= longest


def test_the_same_seed_makes_the_same_thing_and_another_seed_another() -> None:
    first, again, other = _build("cup", "mug", 5), _build("cup", "mug", 5), _build("cup", "mug", 6)
    np.testing.assert_array_equal(first.vertices_V3, again.vertices_V3)
    assert first.parts[0].colour == again.parts[0].colour
    assert first.parts[0].colour != other.parts[0].colour


def test_test_things_are_others_than_train_things() -> None:
    assert thing_rng("train", "cup", 5).random() != thing_rng("test", "cup", 5).random()
    with pytest.raises(ValueError, match="number is in"):
        thing_rng("train", "cup", 1_000_005)


def test_things_by_chance_are_never_the_kinds_that_need_a_hand() -> None:
    assert {_build("book", None, number).kind for number in range(20)} == {"closed", "open"}


def test_what_cannot_be_built_is_said() -> None:
    with pytest.raises(ValueError, match="nothing builds 'dragon'"):
        kinds("dragon")
    with pytest.raises(ValueError, match="no kind 'tiny' of 'cup'"):
        _build("cup", "tiny")


def test_a_draped_blanket_lies_over_what_it_covers() -> None:
    rng = np.random.default_rng(0)
    body_V3 = np.stack([rng.uniform(-0.2, 0.2, 4000), rng.uniform(0.5, 0.75, 4000), rng.uniform(-0.6, 0.6, 4000)], 1)
    blanket = drape_blanket(body_V3, (0.0, 0.0), (1.4, 1.6), 0.5, np.random.default_rng(1))
    cloth_V3 = blanket.vertices_V3
    over = (np.abs(cloth_V3[:, 0]) < 0.15) & (np.abs(cloth_V3[:, 2]) < 0.5)
    beside = np.abs(cloth_V3[:, 0]) > 0.5
    assert cloth_V3[over, 1].min() > 0.72
    assert cloth_V3[beside, 1].min() > 0.48
    assert cloth_V3[beside, 1].max() < 0.58
