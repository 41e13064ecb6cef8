"""A local page to look at key frames and correct their labels: plain http.server on 127.0.0.1, one clip saved whole at a time.

Knows no network. Saves what `model.annotations` can read back and nothing else.
"""

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import msgspec
import numpy as np
import numpy.typing as npt

from model.annotations import POSTURES, Clip, read_clip, write_clip_annotation
from model.realmini.reader import decoded, load_realmini, video_of
from model.vocabulary import MODERATION_V1

PAGE = Path(__file__).parent / "page.html"
MAX_BODY_BYTES = 8_000_000
JSON_TYPE = "application/json"


class Labels:
    """The annotated clips of one folder, and their key frames as JPEG (decoded once, when first asked for)."""

    def __init__(self, clips_folder: Path, annotations: Path, only: str | None = None) -> None:
        """Raises ValueError where a video is absent or differs, or `only` names no clip."""
        self._clips_folder, self._annotations = clips_folder, annotations
        self.names = [clip.name for clip in load_realmini(annotations) if only in (None, clip.name)]
        if not self.names:
            raise ValueError(f"no clip {only!r} in {annotations}, it has {', '.join(clip.name for clip in load_realmini(annotations))}")
        for name in self.names:
            video_of(self.clip(name), clips_folder)
        self._images: dict[tuple[str, int], bytes] = {}
        self._lock = threading.Lock()

    def clip(self, name: str) -> Clip:
        """Raises KeyError where the folder has no such clip."""
        return read_clip(self._path(name))

    def save(self, name: str, body: bytes) -> None:
        """Store a corrected annotation. Raises ValueError, and keeps the old one, where it cannot be read back or is another clip's."""
        old = self.clip(name)
        try:
            new = msgspec.json.decode(body, type=Clip)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"this is not a clip annotation: {error}") from error
        if (new.name, new.sha256, new.video) != (old.name, old.sha256, old.video):
            raise ValueError(f"an annotation of {new.name} ({new.video}) cannot be saved as that of {old.name} ({old.video})")
        trial = self._path(name).with_suffix(".new")
        try:
            write_clip_annotation(trial, new)
            read_clip(trial)
            trial.replace(self._path(name))
        finally:
            trial.unlink(missing_ok=True)

    def image(self, name: str, index: int) -> bytes:
        """A key frame as JPEG. Raises KeyError where it is none."""
        with self._lock:
            if (name, index) not in self._images:
                clip = self.clip(name)
                wanted = frozenset(frame.index for frame in clip.frames)
                for number, image_HW3 in decoded(self._clips_folder / clip.video, wanted):
                    self._images[name, number] = _jpeg(image_HW3)
            return self._images[name, index]

    def _path(self, name: str) -> Path:
        if name not in self.names:
            raise KeyError(name)
        return self._annotations / f"{name}.json"


def serve(labels: Labels, port: int) -> ThreadingHTTPServer:
    """A server that is bound and not yet running; port 0 takes a free one."""

    class Handler(_Handler):
        of = labels

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _Handler(BaseHTTPRequestHandler):
    """GET / /words /clip/NAME /image/NAME/INDEX, PUT /clip/NAME."""

    of: Labels

    def do_GET(self) -> None:
        match [unquote(part) for part in self.path.strip("/").split("/")]:
            case [""]:
                self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
            case ["words"]:
                self._answer(200, JSON_TYPE, _words(self.of.names))
            case ["clip", name] if name in self.of.names:
                self._answer(200, JSON_TYPE, msgspec.json.encode(self.of.clip(name)))
            case ["image", name, index] if name in self.of.names and index in {str(one.index) for one in self.of.clip(name).frames}:
                self._answer(200, "image/jpeg", self.of.image(name, int(index)))
            case _:
                self._answer(404, "text/plain", b"no such page")

    def do_PUT(self) -> None:
        """JSON only and from this address only, so that no other page in the browser can write."""
        name, size = unquote(self.path.removeprefix("/clip/")), int(self.headers.get("Content-Length", "0"))
        own = self.headers.get("Host", "").startswith("127.0.0.1:")
        if not own or self.headers.get_content_type() != JSON_TYPE or name not in self.of.names:
            self._answer(403, "text/plain", b"only the page at 127.0.0.1 may save, and only clips that it lists")
            return
        if not 0 < size <= MAX_BODY_BYTES:
            self._answer(413, "text/plain", f"an annotation has 1 to {MAX_BODY_BYTES} bytes, got {size}".encode())
            return
        try:
            self.of.save(name, self.rfile.read(size))
        except ValueError as error:
            self._answer(400, "text/plain", str(error).encode())
            return
        self._answer(200, JSON_TYPE, b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the page tells what it did."""

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _words(names: list[str]) -> bytes:
    words = {"clips": names, "objects": MODERATION_V1.objects, "predicates": MODERATION_V1.predicates, "postures": POSTURES}
    return json.dumps(words).encode()


def _jpeg(image_HW3: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image_HW3).save(out, "JPEG", quality=92)
    return out.getvalue()
