"""The shipped network on the project's own live stream: its one event alerts once each time that it happens."""

import time
from itertools import pairwise

import pytest

from service.cli.demo import CLIP
from service.cli.live_origin import LiveOrigin
from tests.e2e.product import running, wait_until

LOOP_S = 24.0
POLICY = "person-holding-cup"

pytestmark = pytest.mark.timeout(150)


def test_the_woman_with_the_cup_alerts_once_each_time_she_comes_by() -> None:
    with LiveOrigin(CLIP) as origin, running() as product:
        stream_id = product.watch(origin.url)
        product.wait_for_state(stream_id, "live", 15)

        def raised() -> list[float]:
            return sorted(alert["created_at_s"] for alert in product.alerts() if alert["policy"] == POLICY)

        wait_until(lambda: len(raised()) == 2, 2.5 * LOOP_S, "second alert", lambda: str(raised()))
        time.sleep(8.0)
        times_s = raised()
        assert len(times_s) == 2
        assert all(abs(later - earlier - LOOP_S) < 4.0 for earlier, later in pairwise(times_s)), times_s
        graph = product.http.get(f"/v1/streams/{stream_id}/graph").json()
        assert any(node["label"] == "person" for node in graph["nodes"])
