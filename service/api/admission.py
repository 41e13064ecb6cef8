"""Whether the engine holds one more stream: what it was measured to analyse against what is asked of it. Pure: no clock, no Redis."""

from collections.abc import Sequence

from service.types import StreamSpec


def refusal(running: Sequence[StreamSpec], wished: StreamSpec, capacity_fps: float, admit_fps: float) -> str:
    """Why `wished` is one too many, or nothing. A stream without fps counts with `admit_fps`; the first is always let in.

    `capacity_fps` 0 is not known yet, `admit_fps` 0 means that nobody is to be refused for it.
    """
    if not running or not capacity_fps or not admit_fps:
        return ""
    asked = [spec.fps or admit_fps for spec in running]
    if sum(asked) + (wished.fps or admit_fps) <= capacity_fps:
        return ""
    return (
        f"{len(asked)} streams at {sum(asked) / len(asked):.1f} FPS are what this engine holds: it analyses {capacity_fps:.1f} frames a "
        f"second, and this one would bring it to {sum(asked) + (wished.fps or admit_fps):.1f}; delete a stream or ask for a lower fps"
    )
