"""The table of models is whole, and every model that a picture shows is credited."""

import pytest

from model.render.assets import CREDITS, attribution, load_assets
from model.vocabulary import MODERATION_V1


def test_every_model_has_a_size_a_library_and_an_author() -> None:
    for asset in load_assets().values():
        assert min(asset.size) > 0
        assert asset.library in CREDITS
        assert asset.creator
        assert asset.title


def test_lengths_come_out_in_metres() -> None:
    assets = load_assets()
    assert assets["RE/holdingFemale01"].hands["left"] == pytest.approx((0.18, 1.06, 0.19))
    assert assets["SC/clear_sofa"].support == pytest.approx(0.458)
    assert assets["SC/clear_sofa"].support_region == pytest.approx((-0.75, 0.74, -0.19, 0.36))


def test_credits_name_each_model_once_under_its_library() -> None:
    assets = load_assets()
    text = attribution([assets["SC/dog"], assets["SC/dog"], assets["CB/table"]])
    assert text.count('"Dog" (dog) by Scopia') == 1
    assert text.index('"Table" (table) by Jay-Artist') > text.index("Blend Swap (http")
    assert "Reallusion" not in text


def test_every_label_is_a_word_of_the_vocabulary_and_no_model_is_in_two_splits() -> None:
    for asset in load_assets().values():
        assert asset.label in ("", *MODERATION_V1.objects)
        assert asset.split in ("train", "test", "both")


def test_a_face_is_in_one_split_only() -> None:
    people = [asset for asset in load_assets().values() if asset.posture]
    splits = {asset.identity: asset.split for asset in people}
    assert {splits[asset.identity] for asset in people if asset.split == "test"} == {"test"}
    assert all(splits[asset.identity] == asset.split for asset in people)
