"""`vigil fine-tune`: a head learns a user's clips, the source checkpoint keeps every byte, and the new folder is a whole checkpoint."""

from pathlib import Path

import pytest
import torch

from model.assemble import load_network
from model.checkpoint import read_manifest
from model.commands.export import DEFAULT_FOLDER
from model.commands.fine_tune import write_checkpoint
from model.datasets.lgsd import read_folder
from model.fine_tune import Settings, fine_tune, judge_head
from model.head_file import LoadedHead, load_head
from model.labelled_samples import LabelledSamples
from model.nano import Nano
from model.proxvp.compare import fixed_batches, relation_loss_on
from model.text import Prototypes
from service.cli import main

CLIPS = Path(__file__).parent / "synth" / "clips"
QUICK = Settings(epochs=3, clip_batch=2, rate=1e-3, world_scenes=0)


@pytest.fixture(scope="module")
def clips(shipped: tuple[Nano, Prototypes]) -> LabelledSamples:
    return LabelledSamples([one for one in read_folder(CLIPS) if one.split == "train"], shipped[0], 4, "looking")


@pytest.fixture(scope="module")
def start() -> LoadedHead:
    return load_head(DEFAULT_FOLDER)


def test_the_new_head_fits_the_clips_better_and_the_given_one_stays(clips: LabelledSamples, start: LoadedHead) -> None:
    kept = {name: value.clone() for name, value in start.head.state_dict().items()}
    batches = fixed_batches(clips)
    before = relation_loss_on(start.head, start.prototypes, batches)
    tuned = fine_tune(start, clips, QUICK)
    assert relation_loss_on(tuned, start.prototypes, batches) < 0.9 * before
    assert all(torch.equal(value, kept[name]) for name, value in start.head.state_dict().items())
    again = fine_tune(start, clips, QUICK)
    assert all(torch.equal(mine, other) for mine, other in zip(tuned.parameters(), again.parameters(), strict=True))


def test_what_is_learned_keeps_masks_priors_and_the_number_of_pairs(clips: LabelledSamples, start: LoadedHead) -> None:
    tuned = fine_tune(start, clips, Settings(epochs=1, clip_batch=4, world_scenes=16, world_batch=16))
    assert torch.equal(tuned.allowed_CK, start.head.allowed_CK)
    assert torch.equal(tuned.shift_CK, start.head.shift_CK)
    assert tuned.num_pairs == start.head.num_pairs


def test_figures_are_shares_and_recall_counts_every_predicate(clips: LabelledSamples, start: LoadedHead) -> None:
    judged = judge_head(start, clips)
    for figure in (judged.precision, judged.recall, judged.f1, judged.recall_at.recall):
        assert 0.0 <= figure.value <= 1.0
    assert judged.recall_at.k == 20
    assert judged.recall_at.recall.value > 0.0


def test_settings_that_learn_nothing_are_refused(clips: LabelledSamples, start: LoadedHead) -> None:
    with pytest.raises(ValueError, match="at least one epoch, batches of one or more and a rate above 0"):
        fine_tune(start, clips, Settings(epochs=0))


def test_the_new_folder_is_a_whole_checkpoint_and_the_source_keeps_every_byte(tmp_path: Path, start: LoadedHead) -> None:
    before = {path.name: path.read_bytes() for path in DEFAULT_FOLDER.iterdir()}
    moved = load_head(DEFAULT_FOLDER)
    with torch.no_grad():
        moved.head.bias.add_(0.25)
    exported: list[float] = []

    def export(network: Nano, num_slots: int, path: Path) -> None:
        exported.append(float((network.head.bias - start.head.bias).detach().mean()))
        assert num_slots == network.num_slots
        path.write_bytes(b"graph")

    out = tmp_path / "mine"
    manifest = write_checkpoint(DEFAULT_FOLDER, out, moved, {"fine_tuned": {"seed": 7}}, 3, export)
    assert exported == [pytest.approx(0.25)]
    assert read_manifest(out) == manifest
    assert (manifest.name, manifest.onnx_file) == ("mine", "mine.onnx")
    assert manifest.trained_on.endswith("scene head fine-tuned on 3 labelled clips")
    torch.testing.assert_close(load_network(out)[0].head.bias, moved.head.bias)
    assert {path.name: path.read_bytes() for path in DEFAULT_FOLDER.iterdir()} == before
    assert {path.name for path in out.iterdir()} == {*manifest.files, "head.json", "paces.json", "manifest.json"}


def test_the_command_measures_a_checkpoint_and_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = ["fine-tune", "--from", str(DEFAULT_FOLDER)]
    assert main([*shared, "--data", str(CLIPS), "--out", str(tmp_path / "out"), "--judge-only"]) == 0
    assert "before  triplet F1" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main([*shared, "--data", str(CLIPS), "--out", str(DEFAULT_FOLDER)]) == 2
    assert "is the checkpoint itself; name another folder" in capsys.readouterr().err
    assert main([*shared, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no clip" in capsys.readouterr().err
