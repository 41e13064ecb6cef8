"""Whether the engine holds one more stream: what it was measured to analyse against what is asked of it."""

from collections.abc import Sequence

from service.api.context import Context
from service.metrics import read_gauge
from service.types import StreamSpec, StreamStatus

ENGINE = "engine"


def full_engine(context: Context, wished: StreamSpec) -> str:
    """Why the engine does not hold `wished` beside the others that run now, or nothing. Reads the store."""
    others = [spec for spec in context.store.list_streams() if spec.id != wished.id]
    statuses = context.store.get_statuses([spec.id for spec in others])
    running = [spec for spec, status in zip(others, statuses, strict=True) if asks(spec, status)]
    return refusal(running, wished, _capacity_fps(context), context.settings.admit_fps)


def asks(spec: StreamSpec, status: StreamStatus | None) -> bool:
    """Whether a stream asks something of the engine: not when it is over, nor while a pushed one has no publisher."""
    return not spec.lacks_publisher and (status is None or status.state not in ("ended", "failed"))


def refusal(running: Sequence[StreamSpec], wished: StreamSpec, capacity_fps: float, admit_fps: float) -> str:
    """Why `wished` is one too many, or nothing. A stream without fps counts with `admit_fps`; the first is always let in.

    `capacity_fps` 0 is not known yet, `admit_fps` 0 means that nobody is to be refused for it. Pure.
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


def _capacity_fps(context: Context) -> float:
    """What the engine was last measured to hold; 0 while that is not known."""
    page = context.store.all_metrics(context.settings.shard).get(ENGINE, b"")
    return read_gauge(page, "vigil_engine_capacity_fps") or 0.0
