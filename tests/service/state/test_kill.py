"""A worker killed -9 at random moments: no alert twice, none lost, seq never back."""

import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis

from service.state.alerts import AlertFilter
from service.state.store import Store
from tests.service.state.made import spec
from tests.service.state.playing_worker import NUM_EVENTS
from tests.service.state.playing_worker import __name__ as worker_module

ROOT = Path(__file__).parents[3]


def wait_for_frame(store: Store, above: int) -> None:
    while store.resume("st_1", "model-a").seq <= above:
        time.sleep(0.005)


def test_a_worker_killed_at_any_moment_alerts_once_for_every_event(store: Store, redis: Redis, server_url: str) -> None:
    store.put_stream(spec())
    chance = random.Random(5)
    seqs = [0]
    for is_last in (False, False, False, False, True):
        worker = subprocess.Popen([sys.executable, "-m", worker_module, server_url], cwd=ROOT)
        if not is_last:
            wait_for_frame(store, seqs[-1] + chance.randrange(900))
            worker.kill()
        assert worker.wait(60) == (0 if is_last else -9)
        seqs.append(store.resume("st_1", "model-a").seq)
    alerts = store.alerts.page(AlertFilter(stream_id="st_1"), limit=100).alerts
    moments = sorted(alert.media_s for alert in alerts)
    assert [round(media_s // 10) for media_s in moments] == list(range(NUM_EVENTS))
    assert all(before < after for before, after in itertools.pairwise(seqs))
    assert all(alert.incident_state == "closed" for alert in alerts)
    assert redis.xlen("vigil:alerts:default:log") == 2 * NUM_EVENTS
