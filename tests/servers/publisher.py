"""ffmpeg as a broadcaster: pushes a file, looped at its own pace, to an RTMP server; and makes the test videos."""

import subprocess
from pathlib import Path
from types import TracebackType

from tests.servers.process import end_process, require_binary


def make_video(path: Path, *, size: str = "1280x720", fps: int = 25, duration_s: float = 4.0, codec: str = "libx264") -> Path:
    """A moving test picture with a clock, a key frame every second, no B-frames; the container follows the suffix."""
    tune = ["-tune", "zerolatency"] if codec == "libx264" else []
    run_ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={fps}:duration={duration_s}"),
        *("-c:v", codec, "-preset", "ultrafast", *tune, "-g", str(fps), "-pix_fmt", "yuv420p"),
        str(path),
    )
    return path


def run_ffmpeg(*arguments: str) -> None:
    """Run the system's ffmpeg to its end; it must succeed."""
    done = subprocess.run(
        [require_binary("ffmpeg"), "-hide_banner", "-loglevel", "error", "-y", *arguments], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


class FfmpegPublisher:
    """`with FfmpegPublisher(video, url):` a live stream for as long as the block lasts. The video's H.264 is not encoded again."""

    def __init__(self, video: Path, url: str) -> None:
        self._video = video
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to push."""
        assert self._process is None, "already publishing"
        self._process = subprocess.Popen(
            [
                *(require_binary("ffmpeg"), "-hide_banner", "-loglevel", "error", "-re", "-stream_loop", "-1"),
                *("-i", str(self._video), "-an", "-c:v", "copy", "-f", "flv", self._url),
            ],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """Break off as a crashed encoder does."""
        if self._process is not None:
            end_process(self._process, kill=True)
            self._process = None

    def __enter__(self) -> "FfmpegPublisher":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
