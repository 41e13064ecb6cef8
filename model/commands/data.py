"""`vigil data`: one sub-command a kind of data; here the clip that `vigil demo` plays, with the credits it owes (extra `render`)."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from model.commands import data_bodies, data_convert, data_label, data_synth

if TYPE_CHECKING:
    from model.render.furniture import FurnitureLibrary

ATTRIBUTION = "ATTRIBUTION.txt"
OTHERS: dict[str, tuple[Any, str]] = {
    "synth-home": (data_synth, "rendered clips of people and things in rooms, with exact truth"),
    "bodies": (data_bodies, "dressed people with key frames, for rendered clips"),
    "label": (data_label, "see and correct hand-labelled key frames of real clips"),
    "convert": (data_convert, "published annotations, once, into clip folders"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command a kind of data."""
    kinds = parser.add_subparsers(dest="kind", required=True)
    clip = kinds.add_parser("demo-clip", help="a furnished room; a person holding a cup comes into view once a loop")
    clip.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .mp4 to write; ATTRIBUTION.txt goes beside it")
    clip.add_argument("--seconds", type=float, default=24.0, help="length of the loop (24)")
    clip.add_argument("--size", type=_size, default=(1280, 720), metavar="WxH", help="picture size (1280x720)")
    clip.add_argument("--fps", type=int, default=25, help="frames a second (25)")
    clip.add_argument("--furniture", type=Path, default=None, metavar="FOLDER", help="where the .sh3f archives are (Debian's folder)")
    for name, (module, about) in OTHERS.items():
        module.add_arguments(kinds.add_parser(name, help=about))


def run(args: argparse.Namespace) -> int:
    """Render; prints where the clip and its credits are."""
    if args.kind in OTHERS:
        return int(OTHERS[args.kind][0].run(args))
    if args.seconds <= 0 or args.fps <= 0:
        raise ValueError(f"seconds and fps are positive, got {args.seconds} and {args.fps}")
    library = render_demo_clip(args.out, args.seconds, args.size, args.fps, args.furniture)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB of {len(library.used)} models; credits in {args.out.with_name(ATTRIBUTION)}")
    return 0


def render_demo_clip(
    out: Path, seconds: float, size: tuple[int, int], fps: int, furniture: Path | None = None, *, progress: bool = True
) -> "FurnitureLibrary":
    """Write the clip and its ATTRIBUTION.txt; about 0.7 s a frame at 1280x720 on one core. Raises ValueError in words."""
    try:
        from model.render.assets import attribution
        from model.render.clip import write_clip
        from model.render.demo_scene import DemoScene
        from model.render.furniture import DEFAULT_FOLDER, FurnitureLibrary
        from model.render.renderer import Renderer
    except ImportError as error:
        raise ValueError(f"rendering needs the extra `render` and libegl1 ({error}): pip install 'vigil[render]'") from error
    width, height = size
    library = FurnitureLibrary(furniture or DEFAULT_FOLDER)
    demo, num_frames = DemoScene(library), max(1, round(seconds * fps))

    def pictures() -> Iterator[npt.NDArray[np.uint8]]:
        for index in tqdm(range(num_frames), desc="rendering", unit="frame", disable=not progress):
            demo.move(index / num_frames)
            yield renderer.render(demo.room.scene, demo.camera(index / num_frames))

    with Renderer(width, height) as renderer:
        write_clip(out, pictures(), fps, width, height)
    out.with_name(ATTRIBUTION).write_text(attribution(library.used.values()), encoding="utf-8")
    return library


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) % 2 == 0 and int(height) % 2 == 0 and int(width) * int(height)):
        raise argparse.ArgumentTypeError(f"a size is WxH in even pixels, such as 1280x720, got {text!r}")
    return int(width), int(height)
