"""One line an event: readable, or JSON that any collector reads, whoever speaks."""

import json
import logging
import subprocess
import sys

import pytest

START = (
    "import logging, sys, warnings, structlog; from service import logs; log = structlog.get_logger(); "
    "logs.configure({level!r}, as_json={as_json}, process='worker-1', shard='north'); "
)


def said(body: str, *, level: str = "info", as_json: bool = True, status: int = 0) -> str:
    """What a process with this body writes to standard error."""
    program = START.format(level=level, as_json=as_json) + body
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    return done.stderr


def test_every_json_line_names_time_level_process_and_shard() -> None:
    [line] = said("log.warning('frame_failed', stream_id='s1', why=ValueError('odd'), count=2)").splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["process"], event["shard"]) == ("frame_failed", "warning", "worker-1", "north")
    assert (event["stream_id"], event["count"]) == ("s1", 2)
    assert event["timestamp"].endswith("Z")
    assert "odd" in event["why"]


def test_a_trace_is_part_of_its_line_and_shows_no_values() -> None:
    body = (
        "secret = 'rtmp://user:pass@host'\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('stream_failed', stream_id='s1')"
    )
    [line] = said(body.replace("secret", "\nsecret")).splitlines()
    event = json.loads(line)
    assert event["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "user:pass" not in line


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("logging.getLogger('uvicorn.error').warning('Invalid HTTP request received.')", "uvicorn.error"),
        ("logging.getLogger('asyncio').error('Task %s failed', 7)", "asyncio"),
        ("logging.getLogger('engines.store').info('engine_built')", "engines.store"),
        ("warnings.warn('old', UserWarning)", "py.warnings"),
    ],
)
def test_what_libraries_say_has_the_same_form(body: str, name: str) -> None:
    [line] = said(body).splitlines()
    event = json.loads(line)
    assert (event["logger"], event["process"], event["shard"]) == (name, "worker-1", "north")
    assert event["timestamp"].endswith("Z")
    assert event["level"] in ("info", "warning", "error")


def test_libraries_are_heard_from_warnings_on_and_nothing_below_the_level() -> None:
    quiet = "logging.getLogger('uvicorn.error').info('Started server process')\nlog.info('engine_ready')"
    assert said(quiet, level="warning") == ""
    assert len(said(quiet, level="debug").splitlines()) == 1


def test_the_last_words_of_a_process_are_a_line_like_any_other() -> None:
    [line] = said("\nwith logs.LastWords():\n    raise RuntimeError('no engine')", status=1).splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"]) == ("process_failed", "critical")
    assert "no engine" in event["error"]
    assert event["exception"][0]["exc_type"] == "RuntimeError"


def test_a_thread_that_breaks_says_so_in_one_line() -> None:
    body = (
        "import threading\nthread = threading.Thread(target=lambda: 1 / 0, name='vigil-read-s1')\nthread.start()\nthread.join()\n"
        "raise OSError('the end')"
    )
    thread, process = (json.loads(line) for line in said(body, status=1).splitlines())
    assert (thread["event"], thread["thread"], thread["exception"][0]["exc_type"]) == (
        "thread_failed",
        "vigil-read-s1",
        "ZeroDivisionError",
    )
    assert (process["event"], process["error"]) == ("process_failed", "OSError('the end')")


def test_a_trace_that_a_library_logs_is_part_of_its_line() -> None:
    body = "\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('uvicorn.error').exception('Exception in ASGI application')"
    [line] = said(body).splitlines()
    assert json.loads(line)["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_a_process_that_is_asked_to_end_has_no_last_words() -> None:
    assert said("\nwith logs.LastWords():\n    sys.exit(3)", status=3) == ""


def test_people_read_a_plain_line() -> None:
    line = said("log.warning('frame_failed', stream_id='s1')\nlogging.getLogger('uvicorn.error').warning('bad request')", as_json=False)
    assert "frame_failed" in line
    assert "stream_id" in line
    assert "bad request" in line
    assert "{" not in line


def test_a_process_that_gets_its_name_later_says_every_line_once() -> None:
    body = "logs.configure('info', as_json=True, process='worker-2', shard='north'); logging.getLogger('asyncio').error('x')"
    [line] = said(body).splitlines()
    assert json.loads(line)["process"] == "worker-2"


def test_ffmpeg_prints_nothing_by_itself() -> None:
    import av

    assert av.logging.get_level() is None, "PyAV hands FFmpeg's own lines to nobody"
    assert logging.getLogger("libav").getEffectiveLevel() >= logging.WARNING
