"""Clips with truth as the engine saw them: every scene graph is kept, so that many pipelines can be run over it. Knows no pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.protocol import Engine, EngineSpec, SceneGraph
from model.annotations import Clip, read_clip
from model.annotations import Frame as TrueFrame
from model.evaluation.frames import PREDICATE_INDEX, truth_of
from model.evaluation.over_time import Moment
from model.realmini.reader import load_realmini, video_of
from model.synth.dataset import ANNOTATION, clip_folders
from model.vocabulary import NULL_PREDICATES
from service.ingest.clock import FrameSampler
from service.ingest.file import read_file
from service.pipeline.picture import on_picture
from service.types import Frame


class Source(NamedTuple):
    """A clip's truth, and the file of its pictures."""

    clip: Clip
    video: Path


class Look(NamedTuple):
    """One analysed frame: its media time, and the scene with boxes on the picture."""

    media_s: float
    scene: SceneGraph


@dataclass(frozen=True, slots=True)
class WatchedClip:
    """What the engine said of a clip, frame after frame; `judged` are the looks that have a truth, in order, and `truth` is theirs."""

    name: str
    looks: tuple[Look, ...]
    judged: tuple[int, ...]
    truth: tuple[Moment, ...]

    @property
    def duration_s(self) -> float:
        return self.looks[-1].media_s - self.looks[0].media_s if self.looks else 0.0


def synth_home(folder: Path, split: str, limit: int) -> list[Source]:
    """Rendered clips of a SynthHome folder, evenly picked where there are more than `limit`."""
    found = clip_folders(folder, split)
    picked = found if limit >= len(found) else [found[row * len(found) // limit] for row in range(limit)]
    clips = [(path, read_clip(path / ANNOTATION)) for path in picked]
    return [Source(clip, path / clip.video) for path, clip in clips]


def realmini(clips_folder: Path, limit: int) -> list[Source]:
    """Real clips with labelled key frames. Raises ValueError where a video is absent or not the one that was labelled."""
    return [Source(clip, video_of(clip, clips_folder)) for clip in load_realmini()[:limit]]


def watch(engine: Engine, source: Source, fps: float | None) -> WatchedClip:
    """Run the engine over one clip with an empty memory, on at most `fps` frames a second besides the true ones, to the last of those.

    Raises ValueError where the video ends before its truth does.
    """
    engine.write_memory(0, None)
    true = {frame.index: frame for frame in source.clip.frames}
    looks: list[Look] = []
    judged: list[int] = []
    truth: list[Moment] = []
    for index, frame in _needed(source, frozenset(true), engine.spec.max_pixels, fps):
        dt_s = frame.media_s - looks[-1].media_s if looks else 0.0
        (scene,) = engine.infer(frame.image_HW3[None], [0], [dt_s])
        if index in true:
            judged.append(len(looks))
            truth.append(true_moment(true[index], published(engine.spec)))
        looks.append(Look(frame.media_s, on_picture(scene, frame)))
    if len(truth) < len(true):
        raise ValueError(f"{source.video} has {len(truth)} of the {len(true)} frames that are labelled in {source.clip.name}")
    return WatchedClip(source.clip.name, tuple(looks), tuple(judged), tuple(truth))


def published(spec: EngineSpec) -> frozenset[str]:
    """The predicates that the service shows with this checkpoint."""
    return frozenset(use.name for use in spec.predicates if use.published and use.name not in NULL_PREDICATES)


def true_moment(frame: TrueFrame, predicates: frozenset[str]) -> Moment:
    """What is true of a frame, as far as these predicates tell."""
    truth = truth_of(frame)
    told = np.array(sorted(PREDICATE_INDEX[name] for name in predicates), np.int64)
    rows_T3 = truth.triplets_T3[np.isin(truth.triplets_T3[:, 1], told)]
    edges_E3 = np.stack([truth.ids_N[rows_T3[:, 0]], rows_T3[:, 1], truth.ids_N[rows_T3[:, 2]]], 1)
    return Moment(frame.time_s, truth.boxes_N4, truth.classes_N, truth.ids_N, edges_E3)


def _needed(source: Source, true: frozenset[int], max_pixels: int, fps: float | None) -> Iterator[tuple[int, Frame]]:
    """Frames by number: those with a truth, and as many between them as `fps` allows."""
    last, sampler = max(true, default=-1), FrameSampler(fps)
    for frame in read_file(source.video, max_pixels, source.clip.name):
        if frame.seq > last:
            return
        if sampler.keeps(frame.media_s) or frame.seq in true:
            yield frame.seq, frame
