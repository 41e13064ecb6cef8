"""Judged clips as shots in time order: rendered ones (SynthHome-test), and real ones with hand-labelled key frames (RealMini).

Between the key frames of a real clip, frames at 5 a second lead up to each, so that the memory has seen what a live stream would show.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from model.annotations import Clip, read_clip
from model.evaluation.look import Shot
from model.realmini.reader import decoded, load_realmini, video_of
from model.synth.dataset import ANNOTATION, clip_folders, frames_of

SYNTH_HOME, REALMINI = "synth-home-test", "realmini"
LEAD_FPS = 5.0
LEAD_S = 1.0


def synth_home(folder: Path, limit: int) -> tuple[Sequence[Path], int]:
    """The test clips of a SynthHome folder (evenly picked where there are more than `limit`), and how many frames they have."""
    found = clip_folders(folder, "test")
    picked = found if limit >= len(found) else [found[row * len(found) // limit] for row in range(limit)]
    return picked, sum(len(read_clip(path / ANNOTATION).frames) for path in picked)


def synth_home_shots(folders: Sequence[Path]) -> Iterator[Shot]:
    """Every frame is judged."""
    for folder in folders:
        clip = read_clip(folder / ANNOTATION)
        for frame, picture_HW3 in zip(clip.frames, frames_of(folder), strict=True):
            yield Shot(clip.name, frame.time_s, frame, picture_HW3)


def realmini(limit: int) -> tuple[Sequence[Clip], int]:
    """The labelled clips (the first `limit` of them), and how many frames will be looked at."""
    clips = load_realmini()[:limit]
    return clips, sum(len(times_of(clip)) for clip in clips)


def realmini_shots(clips: Sequence[Clip], clips_folder: Path) -> Iterator[Shot]:
    """Key frames and those that lead up to them. Raises ValueError where a video is absent or another one."""
    for clip in clips:
        times, keys = times_of(clip), {frame.index: frame for frame in clip.frames}
        for index, picture_HW3 in decoded(video_of(clip, clips_folder), frozenset(times)):
            yield Shot(clip.name, times[index], keys.get(index), picture_HW3)


def times_of(clip: Clip) -> dict[int, float]:
    """Frame number to seconds of all frames to look at; between key frames the clip's mean frame rate is taken."""
    last = max(clip.frames, key=lambda frame: frame.index)
    fps = last.index / last.time_s if last.time_s > 0 else LEAD_FPS
    times = {frame.index: frame.time_s for frame in clip.frames}
    for frame in clip.frames:
        for step in range(1, round(LEAD_S * LEAD_FPS) + 1):
            index = frame.index - round(step * fps / LEAD_FPS)
            if index >= 0:
                times.setdefault(index, frame.time_s - (frame.index - index) / fps)
    return dict(sorted(times.items()))
