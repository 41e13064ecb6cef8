"""`vigil data convert action-genome`: published annotations, once, into clip folders that every other command reads."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from model.annotations import Clip, write_clip_annotation
from model.datasets.action_genome import ActionGenome, Tally, read_action_genome, read_frame_list
from model.datasets.charades import read_charades
from model.datasets.lgsd import ANNOTATION
from model.datasets.mini import MINI_CHARADES, MINI_TEST, MINI_TRAIN, cut, first_by_hash

EPILOG = f"""
ROOT is laid out as Action Genome's own tools leave it: annotations/frame_list.txt, object_bbox_and_relationship.pkl, person_bbox.pkl,
and videos/VIDEO.mp4 or frames/VIDEO.mp4/000089.png. Pickles are read without running anything that is in them.
--mini action-genome takes {MINI_TRAIN} train and {MINI_TEST} test videos, --mini charades {MINI_CHARADES} of the test
videos that a Charades CSV lists: the first by the SHA-1 of their name that have 10 frames or more, cut into clips of 10 to 20.
OUT then holds {{train,test}}/NAME/clip.json with a link to the video (or folder of frames) beside it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `vigil data convert`."""
    formats = parser.add_subparsers(dest="format", required=True)
    genome = formats.add_parser(
        "action-genome", help="the official files", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    genome.add_argument("--root", type=Path, required=True, metavar="FOLDER", help="holds annotations/ and videos/ or frames/")
    genome.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where clip folders go")
    genome.add_argument("--mini", choices=("action-genome", "charades"), help="a subset by a fixed rule instead of everything")
    genome.add_argument("--charades", type=Path, metavar="CSV", help="Charades_v1_test.csv, for --mini charades")
    genome.add_argument("--min-side", type=float, default=0.0, metavar="PIXELS", help="leave out things of such a short side or less")
    genome.add_argument("--fps", type=float, help="frames a second of videos that are not in videos/")


def run(args: argparse.Namespace) -> int:
    """Read, choose, write; prints what was written and what was left out."""
    if (args.mini == "charades") != (args.charades is not None):
        raise ValueError("--mini charades and --charades CSV go together")
    if args.fps is not None and args.fps <= 0:
        raise ValueError(f"--fps is positive, got {args.fps}")
    annotations: Path = args.root / "annotations"
    rates = {video: _frame_rate(args.root / "videos" / video, args.fps) for video in read_frame_list(annotations / "frame_list.txt")}
    whole = read_action_genome(annotations, rates, args.min_side)
    train, test = _chosen(whole, args.mini, args.charades)
    for split, clips in (("train", train), ("test", test)):
        _write(args.root, args.out / split, clips, split)
    print(f"{args.out}: {_counts('train', train)}; {_counts('test', test)}")
    print(_left_out(whole.left_out, args.min_side))
    return 0


def _chosen(whole: ActionGenome, mini: str | None, charades: Path | None) -> tuple[Sequence[Clip], Sequence[Clip]]:
    if mini is None:
        return whole.train, whole.test
    if charades is not None:
        listed = {video.id for video in read_charades(charades)}
        return (), _cut(first_by_hash(whole.test, MINI_CHARADES, listed))
    return _cut(first_by_hash(whole.train, MINI_TRAIN)), _cut(first_by_hash(whole.test, MINI_TEST))


def _cut(clips: Sequence[Clip]) -> list[Clip]:
    return [part for clip in clips for part in cut(clip)]


def _frame_rate(video: Path, stated: float | None) -> float:
    """The video's own rate, else the stated one."""
    import av

    if not video.is_file():
        if stated is None:
            raise ValueError(f"{video} is not there: put the videos there, or say their frame rate with --fps")
        return stated
    try:
        with av.open(str(video)) as container:
            rate = container.streams.video[0].average_rate
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise ValueError(f"{video} cannot be opened: {error}") from error
    if not rate:
        raise ValueError(f"{video} does not say its frame rate")
    return float(rate)


def _write(root: Path, out: Path, clips: Sequence[Clip], split: str) -> None:
    for clip in tqdm(clips, desc=f"writing {split}", unit="clip", leave=False):
        folder = out / clip.name
        folder.mkdir(parents=True, exist_ok=True)
        write_clip_annotation(folder / ANNOTATION, clip)
        link = folder / clip.video
        sources = [path for path in (root / "videos" / clip.video, root / "frames" / clip.video) if path.exists()]
        if sources and not link.is_symlink():
            link.symlink_to(sources[0].resolve())


def _counts(split: str, clips: Sequence[Clip]) -> str:
    frames = [frame for clip in clips for frame in clip.frames]
    return f"{split} {len(clips)} clips, {len(frames)} frames, {sum(len(frame.relations) for frame in frames)} relations"


def _left_out(tally: Tally, min_side: float) -> str:
    return (
        f"left out: {tally.frames_without_person} frames without a person, {tally.frames_without_thing} without a visible thing, "
        f"{tally.boxes_outside} boxes outside the picture, {tally.boxes_small} of at most {min_side:g} pixels"
    )
