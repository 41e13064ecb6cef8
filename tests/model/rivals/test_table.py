"""The whole-method table: every row runs, resumes and is measured alike; figures of a perfect head are perfect."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch
from PIL import Image

from model.commands import method_table
from model.commands.method_table import clips_digest
from model.evaluation.eval_set import path_for
from model.evaluation.frames import class_groups
from model.evaluation.recall import find, recall_at
from model.evaluation.sources import REALMINI
from model.rivals.report import Report, draw_bars, figures, markdown
from model.rivals.table import ROWS, At, Data, Result, Setup, kept_or_run, new_trainer, run_one, untrained, with_gaps
from model.samples import Plan, Samples
from model.source_cases import cases_of
from model.text import load_prototypes
from model.train import DIM, TrainingSet, new_head
from service.cli import main

SETUP = Setup(scenes=48, clips=6, test_clips=4, epochs=1, batch=24, clip_batch=6)


@pytest.fixture(scope="module")
def data() -> Data:
    train = [TrainingSet(Samples(Plan(48, 1, 1), 1, DIM, "scenes"), 24), TrainingSet(Samples(Plan(6, 4, 1), 1, DIM, "clips"), 6)]
    return Data(train, Samples(Plan(4, 4, 2), 1, DIM, "test"))


@pytest.mark.parametrize("name", ROWS)
def test_every_row_trains_the_same_number_of_steps_and_is_measured_under_every_constraint(name: str, data: Data) -> None:
    result = run_one(name, 0, SETUP, data)
    assert result.steps == 3
    assert [(at.constraint, at.k) for at in result.at] == [(name, k) for name in ("with", "no", "semi") for k in (10, 20, 50)]
    assert 0.0 <= result.at[1].mean_recall <= 1.0
    assert (result.parameters > 300_000, result.flops > 10**7) == (True, True)


def test_the_rows_that_differ_only_by_rival_start_from_the_same_trunk(data: Data) -> None:
    heads = [new_trainer(name, 5, SETUP, data).method.head for name in ("cosine", "gcl", "st_sgg", "penet")]
    for head in heads[1:]:
        for name, weight in heads[0].pair.state_dict().items():
            torch.testing.assert_close(weight, head.pair.state_dict()[name])


def test_the_rows_with_episodes_have_a_row_for_every_thing_and_pair(data: Data) -> None:
    slots = {name: new_trainer(name, 0, SETUP, data).method.head.num_slots for name in ROWS}
    assert {name for name, count in slots.items() if count == slots["plain"] + 64} == {"episodes", "proxvp_episodes"}
    assert all(untrained(name).num_slots == count for name, count in slots.items())


def test_a_killed_row_ends_with_the_same_weights(tmp_path: Path, data: Data) -> None:
    setup = Setup(scenes=48, clips=6, epochs=2, batch=24, clip_batch=6, hidden=0.5)
    gaps = with_gaps(data, 0.5, 1)
    for name in ("gcl", "st_sgg"):
        whole = new_trainer(name, 1, setup, gaps)
        losses = list(whole.fit())
        killed = new_trainer(name, 1, setup, gaps, tmp_path / f"{name}.state")
        next(killed.fit())
        resumed = new_trainer(name, 1, setup, gaps, tmp_path / f"{name}.state")
        assert list(resumed.fit()) == losses[1:]
        for mine, theirs in zip(whole.head.parameters(), resumed.head.parameters(), strict=True):
            assert torch.equal(mine, theirs)


def test_a_finished_row_is_kept_and_not_run_again(tmp_path: Path, data: Data) -> None:
    result = kept_or_run(tmp_path, SETUP, lambda: data, "cosine", 0)

    def refuse() -> Data:
        raise AssertionError("a kept row needs no data")

    assert kept_or_run(tmp_path, SETUP, refuse, "cosine", 0) == result
    assert [path.name for path in tmp_path.iterdir()] == ["cosine-0.json"]


def test_self_training_on_complete_labels_is_plain_training(data: Data) -> None:
    setup = Setup(scenes=48, clips=6, epochs=2, batch=24, clip_batch=6)
    assert run_one("st_sgg", 0, setup, data).loss == pytest.approx(run_one("cosine", 0, setup, data).loss)


def test_a_head_that_says_the_truth_finds_all_of_it(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    head, prototypes = new_head(12), load_prototypes(DIM)
    labels: list[torch.Tensor] = []

    class Knows:
        """The test's source, which remembers the truth that it handed out."""

        num_clips, num_frames = data.test.num_clips, data.test.num_frames
        batches = staticmethod(data.test.batches)

        @staticmethod
        def frame(clips_B: torch.Tensor, index: int, generator: torch.Generator) -> object:
            clip = data.test.frame(clips_B, index, generator)
            labels.append(clip.targets.labels_BNNK)
            return clip

    def truth(found: object) -> torch.Tensor:
        proposals = found.proposals  # type: ignore[attr-defined]
        labels_BNNK = labels[said.pop(0)]
        rows_B1 = torch.arange(len(labels_BNNK))[:, None]
        known_BQ1 = ((proposals.weight_BQ > 0) & (proposals.person_BQ < labels_BNNK.shape[1])).unsqueeze(2)
        person_BQ = proposals.person_BQ.clamp(max=labels_BNNK.shape[1] - 1)
        true_BQK: torch.Tensor = labels_BNNK[rows_B1, person_BQ, proposals.thing_BQ] * known_BQ1
        return true_BQK

    said = list(range(data.test.num_frames))
    monkeypatch.setattr(head, "probabilities", truth)
    cases = list(cases_of(head, prototypes, Knows(), use_memory=False))  # type: ignore[arg-type]
    assert len(cases) == data.test.num_clips
    hits = find(cases, "no", class_groups())
    right_names = sum(
        bool((case.predicted.classes_N[[s, o]] == case.truth.classes_N[[s, o]]).all())
        for case in cases for s, _, o in case.truth.triplets_T3.tolist()
    )  # fmt: skip
    total = sum(len(case.truth.triplets_T3) for case in cases)
    assert (hits.rank_T < 1_000_000).sum() >= 0.9 * right_names
    assert recall_at(hits, 50, resamples=2).recall.value > 0.8 * right_names / total


def _result(row: str, seed: int, recall: float) -> Result:
    at = [At(constraint, k, recall, recall / 2, recall / 1.5) for constraint in ("with", "no", "semi") for k in (10, 20, 50)]
    return Result(row, seed, 10, 1.0, at, 0.5, 327_000, 35_400_000, 12.0)


def test_the_table_has_means_and_spreads_over_seeds_in_the_order_of_rows(tmp_path: Path) -> None:
    results = [_result("gcl", 0, 0.4), _result("plain", 0, 0.2), _result("plain", 1, 0.4)]
    table = figures(results, "with")
    assert [row.row for row in table] == ["plain", "gcl"]
    assert table[0].recall[0] == pytest.approx((0.3, 0.02**0.5))
    assert "| plain head, AdamW | 30.0 ± 14.1 |" in markdown(table)
    draw_bars(table, tmp_path / "t.png", "heading")
    with Image.open(tmp_path / "t.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 3


def test_the_command_writes_its_table_and_estimates_without_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method_table, "kept_paths", lambda tower: [path_for(REALMINI, tower)])
    size = ["--scenes", "32", "--clips", "2", "--test-clips", "2", "--epochs", "1", "--seeds", "1", "--rows", "cosine", "gcl"]
    places = ["--kept", str(tmp_path / "kept"), "--out", str(tmp_path / "out"), "--timed", "1"]
    assert main(["train-table", *size, *places, "--estimate"]) == 0
    assert "2 runs of 2 steps: about" in capsys.readouterr().out
    assert not (tmp_path / "kept").exists()
    assert main(["train-table", *size, *places]) == 0
    said = capsys.readouterr().out
    assert "group learning, after GCL" in said
    assert "## realmini, predcls: 16 clips, 78 frames, 1377 true triplets" in said
    (table, words, _) = sorted((tmp_path / "out").iterdir())
    assert [path.suffix for path in sorted((tmp_path / "out").iterdir())] == [".json", ".md", ".png"]
    assert words.read_text() in said
    report = msgspec.json.decode(table.read_bytes(), type=Report)
    assert [cost.row for cost in report.costs] == ["plain", "cosine", "gcl"]
    assert main(["train-table", "--seeds", "0"]) == 2


def test_kept_runs_are_of_the_very_clips_that_a_folder_holds(tmp_path: Path) -> None:
    clips = Path(__file__).parents[1] / "synth" / "clips"
    shutil.copytree(clips, tmp_path / "clips")
    assert clips_digest(tmp_path / "clips") == clips_digest(clips)
    path = next((tmp_path / "clips" / "train").glob("*/clip.json"))
    path.write_bytes(path.read_bytes().replace(b'"blurred":false', b'"blurred":true', 1) + b" ")
    assert clips_digest(tmp_path / "clips") != clips_digest(clips)
