"""Composed scenes: a seed is a scene, splits are apart, truth is whole, and what is held stays in the hand."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.vocabulary import ATTENTION, CONTACTING, MODERATION_V1, SPATIAL

if TYPE_CHECKING:
    from model.render.furniture import FurnitureLibrary
    from model.synth.scene import SynthScene

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SEEDS = range(4)


@pytest.fixture(scope="module")
def library() -> "FurnitureLibrary":
    pytest.importorskip("pyrender", reason="the extra `render` is not installed", exc_type=ImportError)
    from model.render.furniture import DEFAULT_FOLDER, FurnitureLibrary

    if not DEFAULT_FOLDER.is_dir():
        pytest.skip("the Debian package sweethome3d-furniture is not installed")
    return FurnitureLibrary()


@pytest.fixture(scope="module")
def scenes(library: "FurnitureLibrary") -> "list[SynthScene]":
    from model.synth.scene import SynthScene

    return [SynthScene(library, (), seed, "test") for seed in SEEDS]


def test_a_seed_is_a_scene(library: "FurnitureLibrary", scenes: "list[SynthScene]") -> None:
    from model.synth.scene import SynthScene

    again = SynthScene(library, (), SEEDS[0], "test")
    first, second = scenes[0].at(0.4), again.at(0.4)
    assert first.relations == second.relations
    assert [actor.label for actor in first.actors] == [actor.label for actor in second.actors]
    assert np.array_equal(scenes[0].camera(0.4), again.camera(0.4))


def test_a_seed_of_train_is_not_that_of_test(library: "FurnitureLibrary", scenes: "list[SynthScene]") -> None:
    from model.synth.scene import SynthScene

    train = SynthScene(library, (), SEEDS[0], "train")
    assert (train.room.width, train.room.depth) != (scenes[0].room.width, scenes[0].room.depth)


def test_no_model_of_train_can_stand_in_test(library: "FurnitureLibrary") -> None:
    from model.synth.catalog import Catalog

    train, test = ({asset.id: asset.split for asset in Catalog(library, split).assets} for split in ("train", "test"))
    assert {train[name] for name in train.keys() & test.keys()} == {"both"}
    assert not any(asset.posture for asset in library.assets.values() if asset.split == "both")
    with pytest.raises(ValueError, match="train or test"):
        Catalog(library, "validation")


def test_every_pair_that_is_listed_is_whole(scenes: "list[SynthScene]") -> None:
    for scene in scenes:
        moment = scene.at(scene.duration_s / 2)
        ids = {actor.id: actor for actor in moment.actors}
        assert len(ids) == len(moment.actors)
        pairs: dict[tuple[int, int], set[str]] = {}
        for subject, predicate, object_ in moment.relations:
            pair = (object_, subject) if predicate in SPATIAL else (subject, object_)
            pairs.setdefault(pair, set()).add(predicate)
        for (person, thing), names in pairs.items():
            assert ids[person].body is not None
            assert ids[thing].body is None
            assert len(names & set(ATTENTION)) == 1
            assert names & set(SPATIAL)
            assert names & set(CONTACTING)


def test_labels_are_words_of_the_vocabulary_and_everyone_is_carried_by_something(scenes: "list[SynthScene]") -> None:
    for scene in scenes:
        moment = scene.at(0.0)
        people = {actor.id for actor in moment.actors if actor.body is not None}
        carried = {subject for subject, predicate, _ in moment.relations if predicate in ("standing_on", "sitting_on", "lying_on")}
        assert people
        assert people == carried
        assert all(actor.label in MODERATION_V1.objects for actor in moment.actors)
        assert any(actor.label == "floor" for actor in moment.actors)


def test_a_held_thing_stays_at_the_palm_while_its_holder_moves(scenes: "list[SynthScene]") -> None:
    held = 0
    for scene in scenes:
        for time_s in (0.0, scene.duration_s / 2, scene.duration_s):
            moment = scene.at(time_s)
            nodes = {actor.id: actor.nodes[0] for actor in moment.actors}
            for actor in moment.actors:
                touches = actor.body.touches_H if actor.body else ()
                for hand, thing in enumerate(touches):
                    if thing >= 0 and (actor.id, "holding", thing) in moment.relations:
                        assert actor.body is not None
                        away = nodes[thing].mesh.bounds.mean(0) @ scene.room.scene.get_pose(nodes[thing])[:3, :3].T
                        middle = scene.room.scene.get_pose(nodes[thing])[:3, 3] + away
                        assert np.linalg.norm(middle - actor.body.palms_H3[hand]) < 0.9
                        held += 1
    assert held >= 1


def test_the_camera_is_inside_the_room_and_out_of_its_furniture(scenes: "list[SynthScene]") -> None:
    for scene in scenes:
        for time_s in np.linspace(0.0, scene.duration_s, 5):
            eye = scene.camera(float(time_s))[:3, 3]
            assert abs(eye[0]) < scene.room.width / 2
            assert abs(eye[2]) < scene.room.depth / 2
            assert 0.3 < eye[1] < scene.room.height
        assert 0.5 < scene.yfov < 1.1


def test_things_that_stand_do_not_stand_in_each_other() -> None:
    from model.synth.plan import Plan, Spot, footprint

    plan = Plan(4.0, 4.0, 2.5, np.random.default_rng(0))
    size = np.array([1.0, 1.0, 0.6])
    spots = []
    while (spot := plan.against_wall(size)) is not None:
        plan.take(footprint(spot, size))
        spots.append(spot)
    assert len(spots) >= 6
    boxes = [footprint(spot, size) for spot in spots]
    for index, box in enumerate(boxes):
        assert not any(((box[0] < other[1] - 1e-6) & (box[1] > other[0] + 1e-6)).all() for other in boxes[:index])
    assert not plan.free(footprint(Spot(1.9, 0.0, 0.0, 0.0), size))


def test_a_box_between_hides_what_is_behind_it() -> None:
    from model.synth.plan import Plan

    plan = Plan(6.0, 6.0, 2.5, np.random.default_rng(0))
    plan.take(np.array([[-0.5, 0.0, -0.2], [0.5, 2.0, 0.2]]))
    assert not plan.sees(np.array([0.0, 1.5, 2.0]), np.array([0.0, 1.5, -2.0]))
    assert plan.sees(np.array([2.0, 1.5, 2.0]), np.array([2.0, 1.5, -2.0]))
    assert plan.sees(np.array([0.0, 2.3, 2.0]), np.array([0.0, 2.3, -2.0]))
