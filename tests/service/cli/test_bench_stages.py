"""Stages and their floors, each for a moment: all must be there and add up; how good they are is no test."""

from pathlib import Path

import pytest

from service.cli.bench_floors import BarePictures
from service.cli.bench_origin import paint_clip
from service.cli.bench_stages import StageCost, StagesPlan, StagesResult, measure_stages, measure_way
from service.shard import analysis

PIXELS = 448 * 256


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_clip(tmp_path_factory.mktemp("clip") / "painted.mp4", 5.0)


@pytest.fixture(scope="module")
def result(clip: Path) -> StagesResult:
    return measure_stages(StagesPlan(clip, "fake", None, PIXELS, None, 0.5), lambda: None)


def test_every_stage_of_a_frame_is_there_in_its_order_with_a_floor(result: StagesResult) -> None:
    names = [stage.stage for stage in result.stages]
    assert names == ["decode", "resize", "queue", "infer", "associate", "filter", "policy", "publish", "rest"]
    assert all(stage.cpu_us > 0 for stage in result.stages if stage.stage != "rest")
    assert all(stage.floor_us > 0 and stage.floor for stage in result.stages if stage.stage != "rest")


def test_each_process_is_charged_for_its_own_stages(result: StagesResult) -> None:
    charged = {stage.stage: (stage.engine_us > 0, stage.redis_us > 0) for stage in result.stages}
    assert {name for name, (engine, _) in charged.items() if engine} == {"queue", "infer"}
    assert {name for name, (_, redis) in charged.items() if redis} == {"publish"}


def test_the_frames_went_through_with_things_relations_and_a_stored_state(result: StagesResult) -> None:
    assert result.frames >= 50
    assert result.things >= 6
    assert result.relations >= 3
    assert 0 < result.blob_bytes <= 64 * 1024


def test_the_steps_inside_add_up_to_their_stages(result: StagesResult) -> None:
    steps = {step.step: step.cpu_us for step in result.steps}
    stages = {stage.stage: stage.worker_us for stage in result.stages}
    assert steps["relations"] + steps["settle"] + steps["delta"] == pytest.approx(stages["filter"])
    assert steps["policies"] + steps["incidents"] == pytest.approx(stages["policy"])


def test_a_sum_leaves_out_what_is_named() -> None:
    stages = [StageCost("decode", 2000.0), StageCost("queue", 300.0, engine_us=200.0), StageCost("publish", 100.0, redis_us=50.0)]
    result = StagesResult("fake", "clip", 1, 1, 1, 1, stages, [])
    assert result.without() == pytest.approx(2.65)
    assert result.without("decode") == pytest.approx(0.65)


def test_a_ratio_is_to_the_floor_and_none_without_one() -> None:
    assert StageCost("queue", 300.0, engine_us=200.0, floor="copy", floor_us=50.0).ratio == pytest.approx(10.0)
    assert StageCost("rest", 10.0).ratio is None


def test_measuring_leaves_the_analysis_as_it_was(clip: Path) -> None:
    before = {name: vars(analysis)[name] for name in ("diff", "settle", "on_picture")}
    measure_way(StagesPlan(clip, "fake", None, PIXELS, None, 0.1), lambda: None)
    assert {name: vars(analysis)[name] for name in before} == before


def test_the_bare_decoder_sees_every_picture_of_the_clip(clip: Path) -> None:
    bare = BarePictures(clip, PIXELS)
    bare.one_pass()
    assert bare.frames == 12 * 5
