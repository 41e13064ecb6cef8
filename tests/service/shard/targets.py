"""What the processes of test_children.py run. Importable, since each starts as a fresh interpreter."""

import os
import time
from multiprocessing.connection import Connection

from service.shard.messages import Beat, WorkerReady


def beating(parent: Connection) -> None:
    """A well-behaved process: ready, then a beat every 50 ms until its pipe closes."""
    parent.send(WorkerReady())
    try:
        while not parent.poll(0.05):
            parent.send(Beat(str(os.getpid()).encode()))
    except OSError:
        pass


def silent(parent: Connection) -> None:
    """Ready, then never heard of again."""
    parent.send(WorkerReady())
    time.sleep(60.0)


def deaf(parent: Connection) -> None:
    """Does not see that it should end."""
    parent.send(WorkerReady())
    while True:
        time.sleep(0.1)


def brief(parent: Connection) -> None:
    """Dies at once."""
    parent.close()
    os._exit(3)
