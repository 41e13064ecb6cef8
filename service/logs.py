"""How a process logs: one line an event, readable or JSON. Knows no event by name."""

import logging
import sys

import structlog


def configure(level: str, *, as_json: bool) -> None:
    """Set up structlog once per process; `level` as in Settings.log_level."""
    renderer = structlog.processors.JSONRenderer() if as_json else _console()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace_as_data() if as_json else structlog.processors.UnicodeDecoder(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_to_stderr,
    )


def _to_stderr(*_: object) -> structlog.PrintLogger:
    """Standard error as it is now, not as it was when logging was set up."""
    return structlog.PrintLogger(sys.stderr)


def _console() -> structlog.dev.ConsoleRenderer:
    """Plain traces: locals would show what URLs carry."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)


def _trace_as_data() -> structlog.processors.ExceptionRenderer:
    return structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
