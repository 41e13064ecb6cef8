"""When a stream's status is written, and what it says."""

import time

import numpy as np
import pytest

from service.shard.status import StatusBoard
from service.types import Frame, StreamStatus


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


def last(state: str, ago_s: float) -> StreamStatus:
    return StreamStatus("s", state, 1.0, written_at_s=time.time() - ago_s)  # type: ignore[arg-type]


def blind_s(board: StatusBoard, *, is_wanted: bool = True) -> float:
    return board.blind_s(is_wanted=is_wanted, fps=None)


@pytest.mark.parametrize("state", ["live", "reconnecting", "failed"])
def test_the_time_since_the_owner_before_was_blind_and_counts_once(board: StatusBoard, state: str) -> None:
    board.take_over(last(state, 20.0))
    board.take_over(last(state, 500.0))
    assert 20.0 <= blind_s(board) < 30.0
    assert blind_s(board) < 5.0


def test_a_stream_that_had_ended_or_was_never_owned_lost_nothing(board: StatusBoard) -> None:
    board.take_over(last("ended", 20.0))
    assert blind_s(board) == 0.0
    other = StatusBoard("s", "worker-1")
    other.take_over(None)
    other.take_over(StreamStatus("s", "pending", 1.0))
    assert blind_s(other) == 0.0


def test_nothing_is_blind_that_ended_or_is_not_wanted(board: StatusBoard) -> None:
    board.take_over(last("live", 20.0))
    assert blind_s(board, is_wanted=False) == 0.0
    board.report("ended")
    time.sleep(0.05)
    assert blind_s(board) == 0.0


def test_a_status_says_when_it_was_written(board: StatusBoard) -> None:
    status = board.due()
    assert status is not None
    assert 0.0 <= time.time() - status.written_at_s < 5.0


def test_frames_give_rate_size_and_time(board: StatusBoard) -> None:
    for number in range(5):
        board.saw(frame(100.0 + number), number + 1)
        time.sleep(0.02)
    board.report("live")
    status = board.due()
    assert status is not None
    assert (status.seq, status.width, status.height, status.last_frame_at_s) == (5, 1280, 720, 104.0)
    assert 20.0 < status.fps < 51.0
