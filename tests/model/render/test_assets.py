"""The table of models is whole, and every model that a picture shows is credited."""

from pathlib import Path

import pytest

from model.render.assets import CREDITS, attribution, load_assets

CLIP_CREDITS = Path(__file__).parents[3] / "service" / "cli" / "demo_clip" / "ATTRIBUTION.txt"


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


def test_the_clips_credits_are_those_of_the_table() -> None:
    assert CLIP_CREDITS.read_text(encoding="utf-8") == attribution(load_assets().values())
