"""How a process logs: one line an event, readable or JSON, also for what libraries say and for its own last words. Knows no event by name.

In JSON every line has `level`, `timestamp`, `event`, `process` and `shard`.
"""

import logging
import sys
import threading
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

log = structlog.get_logger()


def configure(level: str, *, as_json: bool, process: str = "vigil", shard: str = "main") -> None:
    """Set up structlog, and what libraries log, once per process; again when its name changes. `level` as in Settings.log_level."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        shared += [_Names(process, shard), _trace_as_data()]
        threading.excepthook, sys.excepthook = _thread_failed, _process_failed
    renderer: Processor = structlog.processors.JSONRenderer() if as_json else _console()
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.UnicodeDecoder(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_to_stderr,
    )
    _follow_libraries(number, shared, renderer)


def _follow_libraries(level: int, shared: list[Processor], renderer: Processor) -> None:
    """What engines say through `logging`, and from warnings on uvicorn, asyncio and Python itself, in the same form."""
    handler = _Lines()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Lines)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("engines").setLevel(level)
    logging.captureWarnings(True)


class _Lines(logging.Handler):
    """One line a record, to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        _to_stderr().msg(self.format(record))


class LastWords:
    """Around a process's main: an error that ends it is logged like any other line, and the exit status is 1."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Exception):
            _process_failed(type(error), error, trace)
            raise SystemExit(1)


def _process_failed(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    log.critical("process_failed", error=repr(error), exc_info=error)


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    log.critical("thread_failed", thread=args.thread.name if args.thread else "", error=repr(args.exc_value), exc_info=args.exc_value)


class _Names:
    """Which process of which installation speaks."""

    def __init__(self, process: str, shard: str) -> None:
        self._names = {"process": process, "shard": shard}

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**event, **self._names}


def _to_stderr(*_: object) -> structlog.WriteLogger:
    """Standard error as it is now, not as it was when logging was set up. A line is one write: lines of several processes do not mix."""
    return structlog.WriteLogger(sys.stderr)


def _console() -> structlog.dev.ConsoleRenderer:
    """Plain traces: locals would show what URLs carry."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _trace_as_data() -> structlog.processors.ExceptionRenderer:
    return structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
