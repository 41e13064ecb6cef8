"""The one-frame mailbox between reader and pipeline."""

import threading
import time

import numpy as np

from service.ingest.mailbox import Mailbox
from service.types import Frame


def frame(media_s: float) -> Frame:
    return Frame("cam", 0, None, media_s, 0.0, np.zeros((64, 64, 3), np.uint8), (64, 64), (64, 64))


def test_the_newest_frame_wins_and_the_lost_one_is_counted() -> None:
    mailbox = Mailbox()
    assert [mailbox.put(frame(media_s)) for media_s in (1.0, 2.0, 3.0)] == [False, True, True]
    taken = mailbox.take(0.0)
    assert taken is not None
    assert taken.media_s == 3.0
    assert mailbox.take(0.0) is None
    assert mailbox.drops == {"superseded": 2}


def test_drops_elsewhere_are_counted_by_cause() -> None:
    mailbox = Mailbox()
    mailbox.drop("sampled")
    mailbox.drop("late")
    mailbox.drop("sampled")
    assert mailbox.drops == {"sampled": 2, "late": 1}


def test_who_waits_gets_a_frame_as_soon_as_it_comes() -> None:
    mailbox = Mailbox()
    timer = threading.Timer(0.1, mailbox.put, [frame(1.0)])
    timer.start()
    begun_s = time.monotonic()
    assert mailbox.take(5.0) is not None
    assert time.monotonic() - begun_s < 1.0
    timer.join()


def test_closing_wakes_who_waits_and_lets_the_last_frame_be_taken() -> None:
    mailbox = Mailbox()
    timer = threading.Timer(0.1, mailbox.close)
    timer.start()
    assert mailbox.take(5.0) is None
    timer.join()
    full = Mailbox()
    full.put(frame(1.0))
    full.close()
    assert not full.put(frame(2.0))
    assert full.take(0.0) is not None
    assert full.take(5.0) is None
