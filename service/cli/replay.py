"""`vigil replay FILE`: the way of a frame on a video file, as fast as the machine goes. Overlay, graph and alerts as files."""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct
from tqdm import tqdm

from engines.factory import AUTO, BACKENDS, open_engine
from engines.protocol import Engine, EngineSpec
from service.bootstrap import SHIPPED_POLICIES
from service.cli.overlay import Overlay
from service.ingest.file import probe_file, read_file
from service.pipeline.delta import EMPTY, apply
from service.policy.load import load_policies
from service.policy.rules import PolicySet
from service.settings import Settings
from service.shard.analysis import StepResult, StreamAnalysis
from service.types import Box, Frame, TrackedGraph

STREAM_ID = "file"


class NodeLine(Struct):
    """A thing of the graph file."""

    id: int
    label: str
    score: float
    box: Box


class EdgeLine(Struct):
    """A relation of the graph file, by node ids."""

    subject: int
    predicate: str
    object: int
    prob: float


class GraphLine(Struct):
    """One analysed frame of the graph file: what a subscriber of the deltas would hold."""

    seq: int
    media_s: float
    nodes: tuple[NodeLine, ...]
    edges: tuple[EdgeLine, ...]


@dataclass(slots=True)
class Summary:
    """What was seen, counted over frames."""

    frames: int = 0
    alerts: int = 0
    frames_of: Counter[str] = field(default_factory=Counter)
    ids_of: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    relations: Counter[str] = field(default_factory=Counter)

    def add(self, graph: TrackedGraph, alerts: int) -> None:
        self.frames += 1
        self.alerts += alerts
        self.frames_of.update({node.label for node in graph.nodes})
        label_of = {node.id: node.label for node in graph.nodes}
        for node in graph.nodes:
            self.ids_of[node.label].add(node.id)
        self.relations.update({f"{label_of[edge.subject]} {edge.predicate} {label_of[edge.object]}" for edge in graph.edges})

    def text(self, took_s: float) -> str:
        """A few lines for a terminal."""
        rate = self.frames / took_s if took_s > 0 else 0.0
        lines = [f"{self.frames} frames in {took_s:.1f} s: {rate:.1f} frames/s, {self.alerts} alerts"]
        lines += [
            f"  {label:16} in {count / self.frames:6.1%} of frames, {len(self.ids_of[label])} ids"
            for label, count in self.frames_of.most_common()
        ]
        lines += [f"  {triplet:40} in {count / self.frames:6.1%} of frames" for triplet, count in self.relations.most_common()]
        return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings = Settings()
    parser.add_argument("file", type=Path, help="a video file")
    parser.add_argument("--overlay", type=Path, metavar="OUT.mp4", help="write the video with the graph drawn on it")
    parser.add_argument("--graph", type=Path, metavar="OUT.jsonl", help="write one JSON line per analysed frame")
    parser.add_argument("--alerts", type=Path, metavar="OUT.jsonl", help="write one JSON line per alert")
    parser.add_argument("--policies", type=Path, default=settings.policies, help="YAML file or folder of policies; none: deploy/policies")
    parser.add_argument("--engine", default=settings.engine, choices=(AUTO, *BACKENDS), help="backend that runs the network")
    parser.add_argument("--model-dir", type=Path, default=settings.model_dir, help="checkpoint folder; none: the shipped one")
    parser.add_argument("--fps", type=float, help="analyse at most so many frames per second of video; none: all")
    parser.add_argument("--max-pixels", type=int, default=settings.max_pixels, help="pixels of the analysed picture")
    parser.add_argument("--threads", type=int, default=settings.engine_threads, help="CPU threads of the engine; 0: one per core")


def run(args: argparse.Namespace) -> int:
    """Replay one file; ValueError with a sentence when the file, the policies or the checkpoint cannot be used."""
    if args.fps is not None and args.fps <= 0:
        raise ValueError(f"--fps must be above 0, got {args.fps:g}")
    info = probe_file(args.file, args.fps)
    with ExitStack() as stack:
        outputs = Outputs(args, stack)
        engine = open_engine(args.engine, model_dir=args.model_dir, num_streams=1, max_pixels=args.max_pixels, threads=args.threads)
        stack.callback(engine.close)
        analysis = StreamAnalysis(engine.spec, STREAM_ID, _policies(args.policies, engine.spec))
        frames = read_file(args.file, args.max_pixels, STREAM_ID, args.fps)
        summary, began_s = Summary(), time.monotonic()
        for frame, result in tqdm(analyse(frames, engine, analysis), total=info.num_frames or None, unit="frame"):
            graph = outputs.write(frame, result)
            summary.add(graph, len(result.incidents.opened))
        took_s = time.monotonic() - began_s
    print(summary.text(took_s))
    return 0


def analyse(frames: Iterator[Frame], engine: Engine, analysis: StreamAnalysis) -> Iterator[tuple[Frame, StepResult]]:
    """Every frame, in order, with what it gave. The engine's slot 0 is this stream's memory."""
    last_media_s = None
    for frame in frames:
        dt_s = 0.0 if last_media_s is None else frame.media_s - last_media_s
        last_media_s = frame.media_s
        (scene,) = engine.infer(frame.image_HW3[None], [0], [dt_s])
        yield frame, analysis.step(frame, scene, frame.captured_at_s)


class Outputs:
    """The files that were asked for; the graph is put together from the deltas, as a subscriber does."""

    def __init__(self, args: argparse.Namespace, stack: ExitStack) -> None:
        self._graph_file: BinaryIO | None = stack.enter_context(args.graph.open("wb")) if args.graph else None
        self._alert_file: BinaryIO | None = stack.enter_context(args.alerts.open("wb")) if args.alerts else None
        self._overlay: Overlay | None = stack.enter_context(Overlay(args.file, args.overlay)) if args.overlay else None
        self._held = EMPTY

    def write(self, frame: Frame, result: StepResult) -> TrackedGraph:
        """One frame's results; the graph that a subscriber holds now."""
        self._held = apply(self._held, result.delta.events)
        if self._graph_file:
            self._graph_file.write(msgspec.json.encode(_graph_line(result.delta.seq, frame.media_s, self._held)) + b"\n")
        if self._alert_file:
            self._alert_file.writelines(msgspec.json.encode(alert) + b"\n" for alert in result.incidents.opened)
        if self._overlay:
            pts_s = frame.media_s if frame.pts_s is None else frame.pts_s
            self._overlay.show(self._held, result.incidents.opened, pts_s)
        return self._held


def _policies(path: Path | None, spec: EngineSpec) -> PolicySet:
    if path is None and not SHIPPED_POLICIES.is_dir():
        return PolicySet(text="")
    published = [predicate.name for predicate in spec.predicates if predicate.published]
    return load_policies(path or SHIPPED_POLICIES, vocabulary=spec.vocabulary, published=published)


def _graph_line(seq: int, media_s: float, graph: TrackedGraph) -> GraphLine:
    nodes = tuple(NodeLine(node.id, node.label, node.score, node.box) for node in graph.nodes)
    edges = tuple(EdgeLine(edge.subject, edge.predicate, edge.object, edge.prob) for edge in graph.edges)
    return GraphLine(seq, round(media_s, 3), nodes, edges)
