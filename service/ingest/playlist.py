"""What an HLS playlist says, as far as ingest needs it (RFC 8216). Pure: text in, facts out; FFmpeg reads the segments."""

import re
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urljoin

MAGIC = b"#EXTM3U"
MAX_TARGET_S = 60.0
_RESOLUTION = re.compile(r"[:,]RESOLUTION=(\d{1,6})x(\d{1,6})")
_BANDWIDTH = re.compile(r"[:,]BANDWIDTH=(\d{1,12})")
_CODECS = re.compile(r'[:,]CODECS="([^"]*)"')
_AUDIO_CODECS = ("mp4a", "ac-3", "ec-3", "opus", "flac")


@dataclass(frozen=True, slots=True)
class Variant:
    """One rendition of a master playlist."""

    url: str
    pixels: int
    bandwidth: int
    has_video: bool


@dataclass(frozen=True, slots=True)
class Playlist:
    """`variants` is empty for a media playlist; `edge` is its last segment by number and name; `ended` means #EXT-X-ENDLIST was seen."""

    variants: tuple[Variant, ...]
    edge: str
    target_duration_s: float
    ended: bool
    encrypted: bool


def is_playlist(data: bytes | bytearray) -> bool:
    """Whether an object is a playlist, by its first line."""
    return bytes(data[:64]).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(MAGIC)


def parse_playlist(data: bytes, url: str) -> Playlist:
    """Facts of the playlist that `url` answered with."""
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    return Playlist(
        variants=tuple(
            _variant(line, urljoin(url, target))
            for line, target in pairwise(lines)
            if line.startswith("#EXT-X-STREAM-INF:") and target and not target.startswith("#")
        ),
        edge=_edge(lines),
        target_duration_s=max((_target_s(line) for line in lines if line.startswith("#EXT-X-TARGETDURATION:")), default=0.0),
        ended="#EXT-X-ENDLIST" in lines,
        encrypted=any(line.startswith("#EXT-X-KEY:") and "METHOD=NONE" not in line for line in lines),
    )


def choose_variant(variants: tuple[Variant, ...], enough_pixels: int) -> Variant:
    """The cheapest rendition with at least `enough_pixels`, else the largest; FFmpeg alone would fetch them all at once."""
    candidates = [variant for variant in variants if variant.has_video] or list(variants)
    enough = [variant for variant in candidates if variant.pixels >= enough_pixels]
    if enough:
        return min(enough, key=lambda variant: (variant.pixels, variant.bandwidth))
    return max(candidates, key=lambda variant: (variant.pixels, variant.bandwidth))


def _edge(lines: list[str]) -> str:
    segments = [line for line in lines if line and not line.startswith("#")]
    first = next((line.partition(":")[2] for line in lines if line.startswith("#EXT-X-MEDIA-SEQUENCE:")), "0")
    return f"{first}+{len(segments)} {segments[-1]}" if segments else ""


def _variant(line: str, url: str) -> Variant:
    size = _RESOLUTION.search(line)
    bandwidth = _BANDWIDTH.search(line)
    codecs = _CODECS.search(line)
    names = [name.strip().lower() for name in codecs[1].split(",")] if codecs else []
    return Variant(
        url=url,
        pixels=int(size[1]) * int(size[2]) if size else 0,
        bandwidth=int(bandwidth[1]) if bandwidth else 0,
        has_video=not names or not all(name.startswith(_AUDIO_CODECS) for name in names),
    )


def _target_s(line: str) -> float:
    digits = line.partition(":")[2]
    return min(MAX_TARGET_S, float(digits)) if digits.isdecimal() else 0.0
