"""Webhooks over HTTP: made, shown without secrets, tested, deleted; and the running API delivers."""

import base64
import json
import socket
import time

import httpx
import pytest
from redis import Redis

from service.api.webhook_signing import retry_after_s, signed_headers, verdict
from tests.servers.webhook_receiver import Answer, WebhookReceiver
from tests.service.api.actor import Actor
from tests.service.api.couriers import eventually
from tests.service.api.test_streams import problem

URL = "http://127.0.0.1:9/hook"


def make(api: httpx.Client, **body: object) -> dict[str, object]:
    made = api.post("/v1/webhooks", json={"url": URL, **body})
    assert made.status_code == 201, made.text
    webhook: dict[str, object] = made.json()
    assert made.headers["location"] == f"/v1/webhooks/{webhook['id']}"
    return webhook


def test_a_webhook_is_made_listed_and_deleted_and_its_secret_is_shown_once(api: httpx.Client, actor: Actor) -> None:
    del actor
    made = make(api, name="Desk", severities=["high"], policies=["person-holding-cup"], streams=["s1"])
    secret = str(made.pop("secret"))
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert (made["url"], made["name"], made["severities"]) == ("http://127.0.0.1:9/***", "Desk", ["high"])
    assert (made["backlog"], made["last_delivery_at_s"], made["last_error"], made["disabled"]) == (0, None, "", False)
    assert api.get(f"/v1/webhooks/{made['id']}").json() == {**made, "secret": None}
    assert [one["id"] for one in api.get("/v1/webhooks").json()["webhooks"]] == [made["id"]]
    assert secret not in api.get("/v1/webhooks").text
    assert api.delete(f"/v1/webhooks/{made['id']}").status_code == 204
    for refused in (
        api.get(f"/v1/webhooks/{made['id']}"),
        api.delete(f"/v1/webhooks/{made['id']}"),
        api.post(f"/v1/webhooks/{made['id']}/test"),
    ):
        problem(refused, 404, "no_such_webhook")


def test_secrets_of_an_address_are_never_shown(api: httpx.Client) -> None:
    made = make(api, url="https://me:pa55@127.0.0.1/services/T0/p4th?key=s3cret")
    answers = json.dumps(made) + api.get("/v1/webhooks").text
    assert (made["url"], made["name"]) == ("https://127.0.0.1/***", "127.0.0.1")
    assert not any(secret in answers for secret in ("pa55", "s3cret", "p4th"))


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"url": "rtmp://127.0.0.1/x"}, 400, "unsupported_url", "'rtmp'"),
        ({"url": "file:///etc/passwd"}, 400, "unsupported_url", "https://"),
        ({"url": "desk?key=s3cret"}, 400, "unsupported_url", "got no scheme"),
        ({"url": "https://"}, 400, "unsupported_url", "names a host"),
        ({"url": "http://10.0.0.5/hook"}, 403, "forbidden_address", "VIGIL_ALLOW_NETWORKS"),
        ({"url": "https://[::ffff:169.254.169.254]/latest"}, 403, "forbidden_address", "not a public address"),
        ({"url": "http://0x0a000005/hook"}, 403, "forbidden_address", "10.0.0.5"),
        ({}, 422, "invalid_input", "body.url"),
        ({"url": URL, "severities": []}, 422, "invalid_input", "body.severities"),
        ({"url": URL, "severities": ["grave"]}, 422, "invalid_input", "body.severities"),
        ({"url": URL, "policies": ["no-such-rule"]}, 422, "unknown_policy", "'no-such-rule'"),
        ({"url": URL, "streams": ["none"]}, 422, "unknown_stream", "'none'"),
        ({"url": URL, "secret": "mine"}, 422, "invalid_input", "body.secret"),
    ],
)
def test_bad_input_gets_a_sentence_and_a_code(api: httpx.Client, body: object, status: int, code: str, words: str) -> None:
    assert words in problem(api.post("/v1/webhooks", json=body), status, code)
    assert api.get("/v1/webhooks").json()["webhooks"] == []


def test_there_are_at_most_32(api: httpx.Client) -> None:
    for _ in range(32):
        make(api)
    assert "32 webhooks" in problem(api.post("/v1/webhooks", json={"url": URL}), 429, "too_many_webhooks")


def test_a_test_event_says_how_it_went(api: httpx.Client, receiver: WebhookReceiver) -> None:
    made = make(api, url=receiver.url)
    receiver.script.extend([Answer(), Answer(401), Answer(302, {"Location": receiver.url})])
    went = [api.post(f"/v1/webhooks/{made['id']}/test").json() for _ in range(3)]
    assert [(one["delivered"], one["status"]) for one in went] == [(True, 200), (False, 401), (False, 302)]
    assert [one["error"] for one in went] == [
        "",
        f"http://127.0.0.1:{receiver.port} answers with HTTP status 401",
        f"http://127.0.0.1:{receiver.port} answers with a redirect (HTTP status 302), which is not followed",
    ]
    event = json.loads(receiver.received[0].body)
    assert (event["type"], event["alert"]) == ("webhook.test", None)
    got = receiver.received[0]
    at_s = int(got.headers["webhook-timestamp"])
    signed = signed_headers(str(made["secret"]), event["id"], at_s, got.body)
    assert {name: got.headers[name] for name in signed} == signed
    assert len(receiver.received) == 3


def test_a_test_of_a_receiver_that_is_not_there_says_so(api: httpx.Client) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        made = make(api, url=f"http://127.0.0.1:{held.getsockname()[1]}/hook")
        went = api.post(f"/v1/webhooks/{made['id']}/test").json()
    assert (went["delivered"], went["status"]) == (False, None)
    assert "refused" in went["error"]


def test_the_running_api_delivers_and_tells_how_it_goes(api: httpx.Client, receiver: WebhookReceiver, actor: Actor, redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        eventually(lambda: redis.exists("vigil:webhooks:lease"))
    made = make(api, url=receiver.url)
    begun_s = time.time()
    actor.raise_alert("a1")
    got = receiver.wait_for(1)
    assert json.loads(got[0].body)["alert"]["id"] == "a1"
    view = f"/v1/webhooks/{made['id']}"
    eventually(lambda: api.get(view).json()["last_delivery_at_s"] is not None)
    assert begun_s - 1 <= api.get(view).json()["last_delivery_at_s"] <= time.time()
    page = api.get("/metrics").text
    assert f'vigil_webhook_backlog{{process="api",webhook="{made["id"]}"}} 0.0' in page
    assert any(line.startswith("vigil_webhook_deliveries_total{") and 'outcome="delivered"' in line for line in page.splitlines())
    api.delete(view)
    eventually(lambda: str(made["id"]) not in api.get("/metrics").text)


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification at standardwebhooks.com."""
    headers = signed_headers("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "again"),
        (200, "delivered"),
        (204, "delivered"),
        (302, "again"),
        (400, "never"),
        (404, "never"),
        (408, "again"),
        (410, "gone"),
        (425, "again"),
        (429, "again"),
        (500, "again"),
        (503, "again"),
    ],
)
def test_each_answer_has_its_meaning(status: int | None, said: str) -> None:
    assert verdict(status) == said


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        (None, 0.0),
        ("7", 7.0),
        ("86400", 300.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
        ("Mon, 01 Jan 99999999999999 00:00:00 GMT", 0.0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", 0.0),
        ("Mon, 99999999999999999999 Jan 2024 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_within_bounds(header: str | None, wait_s: float) -> None:
    assert retry_after_s(header, now_s=40.0) == wait_s
