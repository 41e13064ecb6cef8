"""Couriers at a quick pace on real Redis, and what tests ask of them: states, metrics, what a receiver got."""

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from prometheus_client.metrics import MetricWrapperBase

from service.api.courier import Courier
from service.api.webhook_signing import new_secret
from service.ingest.address import AddressGuard
from service.metrics import Metrics
from service.state.webhooks import Webhook, WebhookShelf, WebhookState
from tests.servers.webhook_receiver import Received
from tests.service.api.courier_process import GUARD, QUICK


@contextmanager
def delivering(shelf: WebhookShelf, *, metrics: Metrics | None = None, guard: AddressGuard = GUARD, **pace: float) -> Iterator[Courier]:
    courier = Courier(shelf, guard, metrics or Metrics(), dataclasses.replace(QUICK, **pace))
    courier.start()
    try:
        yield courier
    finally:
        assert courier.stop()


def put_webhook(shelf: WebhookShelf, url: str, webhook_id: str = "w1", **filters: tuple[str, ...]) -> Webhook:
    webhook = msgspec.structs.replace(Webhook(webhook_id, url, new_secret(), "desk", time.time()), **filters)
    assert shelf.put(webhook)
    return webhook


def state(shelf: WebhookShelf, webhook_id: str = "w1") -> WebhookState:
    return shelf.states([webhook_id])[0]


def eventually(is_met: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_met():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.01)


def alerts_of(received: list[Received]) -> list[str]:
    return [json.loads(one.body)["alert"]["id"] for one in received]


def ids_of(received: list[Received]) -> list[str]:
    return [one.headers["webhook-id"] for one in received]


def is_signed(webhook: Webhook, got: Received) -> bool:
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    signed = b".".join([got.headers["webhook-id"].encode(), got.headers["webhook-timestamp"].encode(), got.body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    is_fresh = abs(time.time() - int(got.headers["webhook-timestamp"])) < 300
    return is_fresh and hmac.compare_digest(got.headers["webhook-signature"], f"v1,{expected}")


def value(metric: MetricWrapperBase, *labels: str) -> float:
    sample = next(iter(next(iter(metric.labels(*labels).collect())).samples))
    return sample.value


def outcomes(metrics: Metrics, webhook_id: str = "w1") -> dict[str, float]:
    return {outcome: value(metrics.webhook_deliveries, webhook_id, outcome) for outcome in ("delivered", "failed", "gave_up")}


def webhook_lines(metrics: Metrics) -> list[str]:
    return [line for line in metrics.expose().decode().splitlines() if line.startswith("vigil_webhook")]
