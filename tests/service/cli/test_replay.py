import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from engines.fake import FakeEngine
from service.cli import main
from service.cli.overlay import GraphPainter, Overlay, colour_of
from service.cli.replay import Summary, analyse
from service.ingest.file import read_file
from service.policy.load import parse_policies
from service.shard.analysis import StreamAnalysis
from service.types import Edge, Node, TrackedGraph

FPS = 25
BRIGHT, DARK = 200, 60
POLICY = """
- name: cup-in-hand
  severity: info
  mode: flag
  when: {relation: {subject: person, predicate: holding, object: cup}}
  for: 1s
  cooldown: 10s
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three seconds of 320x180: bright, so the fake engine sees a person who holds a cup; the last second is dark."""
    return write_clip(tmp_path / "clip.mp4", [BRIGHT] * 2 * FPS + [DARK] * FPS)


def write_clip(path: Path, luma: list[int]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for level in luma:
            picture = np.full((180, 320, 3), level, np.uint8)
            picture[60:120, 100:200] = level + 20
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def replay(*args: object) -> int:
    return main(["replay", *(str(arg) for arg in args), "--engine", "fake"])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_graph_file_has_one_line_per_frame_with_what_a_subscriber_holds(clip: Path, tmp_path: Path) -> None:
    assert replay(clip, "--graph", tmp_path / "graph.jsonl") == 0
    graph = lines(tmp_path / "graph.jsonl")
    assert [line["seq"] for line in graph] == list(range(1, 3 * FPS + 1))
    assert [line["media_s"] for line in graph] == pytest.approx([index / FPS for index in range(3 * FPS)], abs=2e-3)
    middle = graph[40]
    assert [(node["id"], node["label"]) for node in middle["nodes"]] == [(1, "person"), (2, "cup")]
    assert all(len(node["box"]) == 4 and 0 < node["score"] <= 1 for node in middle["nodes"])
    assert [(edge["subject"], edge["predicate"], edge["object"]) for edge in middle["edges"]] == [(1, "holding", 2)]
    assert not graph[-1]["edges"]
    for line in graph:
        ids = {node["id"] for node in line["nodes"]}
        assert all({edge["subject"], edge["object"]} <= ids for edge in line["edges"])


def test_alerts_are_written_once_per_event(clip: Path, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICY)
    assert replay(clip, "--alerts", tmp_path / "alerts.jsonl", "--policies", policies) == 0
    (alert,) = lines(tmp_path / "alerts.jsonl")
    assert alert["policy"] == "cup-in-hand"
    assert [edge["predicate"] for edge in alert["edges"]] == ["holding"]


def test_the_summary_says_what_was_seen(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(clip, "--fps", 5) == 0
    said = capsys.readouterr().out
    assert "15 frames in" in said
    assert "person" in said
    assert "1 ids" in said
    assert "person holding cup" in said


def test_the_overlay_has_the_sources_frames_at_its_size_with_the_graph_on_them(clip: Path, tmp_path: Path) -> None:
    assert replay(clip, "--overlay", tmp_path / "out.mp4", "--fps", 10) == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == FPS
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    assert len(pictures) == 3 * FPS
    assert pictures[0].shape[0] == 180
    assert pictures[0].shape[1] > 320
    plain, drawn = pictures[0][:, :320].astype(int), pictures[40][:, :320].astype(int)
    assert np.abs(drawn - plain).max() > 100
    left_edge = drawn[60:150, 96]
    assert np.abs(left_edge - np.array(colour_of(1))).mean() < 60


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["missing.mp4"], "no such file"),
        (["{text}"], "not a video"),
        (["{clip}", "--fps", "0"], "--fps must be above 0, got 0"),
        (["{clip}", "--policies", "{bad}"], "unicorn"),
        (["{clip}", "--model-dir", "{text}", "--engine", "onnxruntime"], "{text}"),
    ],
)
def test_bad_input_ends_with_one_clear_sentence(
    args: list[str], sentence: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"clip": str(clip), "text": str(tmp_path / "notes.txt"), "bad": str(tmp_path / "bad.yaml")}
    Path(names["text"]).write_text("not a video")
    Path(names["bad"]).write_text(POLICY.replace("object: cup", "object: unicorn"))
    status = main(["replay", "--engine", "fake", *(arg.format(**names) for arg in args)])
    said = capsys.readouterr().err
    assert status == 2
    assert said.startswith("vigil replay: ")
    assert sentence.format(**names) in said


def test_an_alert_is_shown_as_a_banner_for_some_seconds(clip: Path, tmp_path: Path) -> None:
    analysis = StreamAnalysis(FakeEngine(num_streams=1, max_pixels=64 * 64).spec, "file", parse_policies(POLICY))
    engine = FakeEngine(num_streams=1, max_pixels=320 * 192)
    target = tmp_path / "out.mp4"
    with Overlay(clip, target) as overlay:
        for frame, result in analyse(read_file(clip, 320 * 192), engine, analysis):
            graph = TrackedGraph(result.snapshot.nodes, result.snapshot.edges)
            overlay.show(graph, result.incidents.opened, frame.media_s)
    with av.open(str(target)) as container:
        bottom = [picture.to_ndarray(format="rgb24")[-4, 300].astype(int) for picture in container.decode(video=0)]
    reddish = [bool(red > 150 and green < 110 and blue < 110) for red, green, blue in bottom]
    assert not any(reddish[:20])
    assert all(reddish[60:])


def test_words_stay_inside_the_picture_and_crowds_are_cut_with_a_count() -> None:
    nodes = tuple(Node(index, "wine glass", 0.9, (0.95, 0.0, 1.0, 0.05), 0.0) for index in range(1, 40))
    edges = tuple(Edge(1, "in_front_of", index, 0.9, 0.0) for index in range(2, 40))
    image = GraphPainter(320, 180).paint(Image.new("RGB", (320, 180)), TrackedGraph(nodes, edges), 1.0, ["a very long alert " * 9])
    assert image.size[0] % 2 == image.size[1] % 2 == 0
    assert image.getpixel((318, 5)) != (0, 0, 0)


def test_the_share_of_frames_counts_a_label_once_per_frame() -> None:
    summary = Summary()
    two = TrackedGraph(tuple(Node(index, "cup", 0.9, (0, 0, 1, 1), 0.0) for index in (1, 2)), ())
    summary.add(two, 0)
    summary.add(TrackedGraph((), ()), 0)
    assert "cup" in summary.text(1.0)
    assert "50.0% of frames, 2 ids" in summary.text(1.0)
