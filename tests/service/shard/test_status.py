"""When a stream's status is written, and what it says."""

import time

import numpy as np
import pytest

from service.shard.status import StatusBoard
from service.types import Frame


@pytest.fixture
def board() -> StatusBoard:
    return StatusBoard("s", "worker-1")


def frame(at_s: float) -> Frame:
    return Frame("s", 0, None, 0.0, at_s, np.zeros((64, 64, 3), np.uint8), (64, 64), (720, 1280))


def test_it_is_written_once_at_the_beginning_and_then_not_before_a_second(board: StatusBoard) -> None:
    first = board.due()
    assert first is not None
    assert (first.state, first.worker) == ("pending", "worker-1")
    assert board.due() is None


def test_a_change_is_written_at_once(board: StatusBoard) -> None:
    board.due()
    board.report("reconnecting", "timeout", "nothing came for 4 s")
    status = board.due()
    assert status is not None
    assert (status.state, status.code, status.message) == ("reconnecting", "timeout", "nothing came for 4 s")


def test_the_same_report_twice_is_no_change(board: StatusBoard) -> None:
    board.report("live")
    board.due()
    board.report("live")
    assert board.due() is None


def test_since_moves_with_the_state_and_not_with_the_message(board: StatusBoard) -> None:
    board.report("reconnecting", "timeout", "one")
    first = board.due()
    time.sleep(0.02)
    board.report("reconnecting", "not_found", "two")
    second = board.due()
    board.report("live")
    third = board.due()
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.since_s == second.since_s < third.since_s


def test_each_reconnect_counts_once(board: StatusBoard) -> None:
    for state in ("live", "reconnecting", "reconnecting", "live", "stalled", "reconnecting"):
        board.report(state)
    status = board.due()
    assert status is not None
    assert status.reconnects == 2


@pytest.mark.parametrize(("state", "shown"), [("live", "stalled"), ("pending", "pending"), ("reconnecting", "reconnecting")])
def test_a_live_stream_without_an_engine_shows_as_stalled(board: StatusBoard, state: str, shown: str) -> None:
    board.report(state)  # type: ignore[arg-type]
    board.hold("waiting for the engine")
    status = board.due()
    assert status is not None
    assert status.state == shown
    board.hold("")
    status = board.due()
    assert status is not None
    assert (status.state, status.message) == (state, "")


def test_a_live_stream_that_is_analysed_less_says_so_and_stays_live(board: StatusBoard) -> None:
    board.report("live")
    board.ease("at most 5 FPS are analysed")
    status = board.due()
    assert status is not None
    assert (status.state, status.message) == ("live", "at most 5 FPS are analysed")
    board.report("reconnecting", "timeout", "nothing came")
    status = board.due()
    assert status is not None
    assert status.message == "nothing came"
    board.report("live")
    board.ease("")
    status = board.due()
    assert status is not None
    assert status.message == ""


def test_frames_give_rate_size_and_time(board: StatusBoard) -> None:
    for number in range(5):
        board.saw(frame(100.0 + number), number + 1)
        time.sleep(0.02)
    board.report("live")
    status = board.due()
    assert status is not None
    assert (status.seq, status.width, status.height, status.last_frame_at_s) == (5, 1280, 720, 104.0)
    assert 20.0 < status.fps < 51.0
