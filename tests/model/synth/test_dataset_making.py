"""Making a data set: what is still to do, what a folder remembers, what a kill leaves, how pictures are degraded and things counted."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.annotations import FORMAT, Clip, Entity, Frame, Relation, write_clip_annotation
from model.synth.counts import count, table
from model.synth.dataset import clip_folders, frames_of
from model.synth.degrade import BLURRED_FROM, Looks, degrade, draw_looks
from model.synth.produce import Recipe, claim, plan
from model.synth.render_clip import Job, Shape

SHAPE = Shape(seed=1, num_frames=2, fps=5, width=96, height=64)
CALM = Looks((1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 0.0, 20)


def finish(job: Job) -> None:
    job.folder.mkdir(parents=True)
    write_clip_annotation(job.folder / "clip.json", Clip(FORMAT, job.name, "clip.mp4", 96, 64, ()))


def test_test_clips_come_first_and_finished_ones_are_left_out(tmp_path: Path) -> None:
    jobs = plan(tmp_path, SHAPE, num_train=2, num_test=2)
    assert [job.name for job in jobs] == ["test-00000", "test-00001", "train-00000", "train-00001"]
    finish(jobs[1])
    assert [job.name for job in plan(tmp_path, SHAPE, 2, 2)] == ["test-00000", "train-00000", "train-00001"]


def test_a_folder_remembers_how_it_was_made_and_sweeps_what_a_kill_left(tmp_path: Path) -> None:
    recipe = Recipe(SHAPE, "bodies")
    claim(tmp_path, recipe)
    torn = tmp_path / "train" / ".train-00004.99.part"
    torn.mkdir(parents=True)
    (torn / "clip.json").write_bytes(b"{}")
    with pytest.raises(ValueError, match="no clips"):
        clip_folders(tmp_path, "train")
    claim(tmp_path, recipe)
    assert not torn.exists()
    with pytest.raises(ValueError, match="another folder"):
        claim(tmp_path, Recipe(SHAPE, "other"))


def test_every_clip_has_numbers_of_its_own_that_are_always_the_same(tmp_path: Path) -> None:
    def numbers(job: Job) -> tuple[int, float]:
        scene, rng = job.seeds()
        return scene, float(rng.random())

    jobs = [Job(tmp_path, split, number, Shape(seed, 2, 5, 96, 64)) for split in ("train", "test") for number in (0, 1) for seed in (0, 1)]
    drawn = [numbers(job) for job in jobs]
    assert len(set(drawn)) == len(jobs)
    assert drawn == [numbers(job) for job in jobs]


def test_a_video_that_does_not_fit_its_annotation_is_said_in_words(tmp_path: Path) -> None:
    job = Job(tmp_path, "train", 0, SHAPE)
    finish(job)
    (job.folder / "clip.mp4").write_bytes(b"not a video")
    with pytest.raises(ValueError, match="cannot be decoded"):
        frames_of(job.folder)
    with pytest.raises(ValueError, match="a split is one of train, test"):
        clip_folders(tmp_path, "val")


def test_a_camera_without_faults_changes_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    out, blurred = degrade(picture, CALM, np.random.default_rng(1))
    assert np.abs(out.astype(int) - picture).max() <= 1
    assert not blurred


def test_shaking_is_flagged_where_it_is_long_and_keeps_the_mean() -> None:
    picture = np.zeros((32, 96, 3), np.uint8)
    picture[:, 48:] = 200
    shaky = Looks((1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 1.0, 20)
    flags = []
    for seed in range(20):
        out, blurred = degrade(picture, shaky, np.random.default_rng(seed))
        flags.append(blurred)
        assert out.mean() == pytest.approx(picture.mean(), abs=4.0)
    assert 0.5 < np.mean(flags) < 1.0  # lengths run from .004 to .04 of the width
    assert BLURRED_FROM == 0.012


def test_looks_differ_between_clips_and_stay_in_bounds() -> None:
    grey = np.full((8, 8, 3), 107, np.uint8)
    looks = [draw_looks(np.random.default_rng(seed), grey) for seed in range(200)]
    assert {look.crf for look in looks} == set(range(20, 39))
    assert all(0.3 < gain < 3.0 for look in looks for gain in look.gains_3)
    assert 0.3 < np.mean([look.shaken > 0 for look in looks]) < 0.7


def test_a_dark_room_is_exposed_longer() -> None:
    dark, bright = (draw_looks(np.random.default_rng(0), np.full((8, 8, 3), level, np.uint8)) for level in (60, 200))
    assert dark.gains_3[1] / bright.gains_3[1] == pytest.approx((0.42 / (60 / 255)) / 0.75)


def test_counts_are_of_appearances() -> None:
    def frame(blurred: bool) -> Frame:
        box = (0.0, 0.0, 0.5, 0.5)
        entities = (Entity(0, "person", box), Entity(1, "cup", box), Entity(2, "bottle", box), Entity(3, "dog", box))
        return Frame(0, 0.0, entities, (Relation(0, "holding", 1), Relation(1, "in_front_of", 0)), blurred)

    counted = count("train", [Clip(FORMAT, "a", "clip.mp4", 96, 64, (frame(False), frame(True)))])
    assert (counted.clips, counted.frames, counted.blurred, counted.people) == (1, 2, 1, 2)
    assert counted.classes["cup/glass/bottle"] == 4
    assert sum(counted.classes.values()) == 6  # Action Genome has no dogs
    assert counted.predicates["holding"] == 2
    assert len(counted.classes) == 36
    assert len(counted.predicates) == 26
    lines = table([counted]).splitlines()
    assert lines[5].split() == ["classes", "of", "36", "2"]
    assert lines[6].split() == ["predicates", "of", "26", "2"]


def vigil(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "service.cli", "data", "synth-home", *args], capture_output=True, text=True, timeout=100)


def test_wrong_options_end_with_one_sentence(tmp_path: Path) -> None:
    done = vigil("--out", str(tmp_path), "--frames", "0")
    assert done.returncode == 2
    assert "--frames 0" in done.stderr
    missing = vigil("--out", str(tmp_path), "--bodies", str(tmp_path / "none"))
    assert missing.returncode == 2
    assert "vigil data bodies" in missing.stderr


def test_the_command_renders_a_clip_with_its_sheet_and_credits(tmp_path: Path) -> None:
    pytest.importorskip("pyrender", reason="the extra `render` is not installed", exc_type=ImportError)
    if not Path("/usr/share/sweethome3d/furniture").is_dir():
        pytest.skip("the Debian package sweethome3d-furniture is not installed")
    args = ("--out", str(tmp_path / "home"), "--train", "1", "--test", "0", "--frames", "2", "--size", "96x64", "--workers", "1")
    first = vigil(*args, "--sheet", str(tmp_path / "sheet.png"))
    if "no off-screen OpenGL" in first.stderr:
        pytest.skip("no off-screen OpenGL here")
    assert first.returncode == 0, first.stderr
    assert frames_of(tmp_path / "home" / "train" / "train-00000").shape == (2, 64, 96, 3)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert "Reallusion" in (tmp_path / "home" / "ATTRIBUTION.txt").read_text(encoding="utf-8")
