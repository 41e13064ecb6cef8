"""Who may talk to the API: hosts, origins, sizes; and that an unforeseen error stays inside."""

from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from service.api.app import Boundary
from service.api.guards import MAX_BODY_BYTES
from tests.service.api.serving import served, socket_url
from tests.service.api.test_streams import URL, problem


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "192.168.1.4:80", "[::1]:8000"])
def test_local_names_and_plain_addresses_are_answered(api: httpx.Client, host: str) -> None:
    assert api.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", ""])
def test_a_name_that_someone_pointed_at_us_is_refused(api: httpx.Client, host: str) -> None:
    assert "VIGIL_ALLOW_HOSTS" in problem(api.get("/healthz", headers={"host": host}), 421, "foreign_host")


def test_pages_of_other_sites_can_neither_post_nor_open_sockets(api: httpx.Client) -> None:
    foreign = {"origin": "https://evil.example"}
    problem(api.post("/v1/streams", json={"url": URL}, headers=foreign), 403, "foreign_origin")
    problem(api.get("/v1/streams", headers={"origin": "null"}), 403, "foreign_origin")
    with pytest.raises(InvalidStatus) as refused, connect(socket_url(api, "/v1/alerts"), additional_headers=foreign):
        pass
    assert refused.value.response.status_code == 403
    own = {"origin": str(api.base_url).rstrip("/")}
    assert api.post("/v1/streams", json={"url": URL}, headers=own).status_code == 201
    with connect(socket_url(api, "/v1/alerts"), additional_headers=own):
        pass


def test_allowed_hosts_and_origins_come_in(redis_url: str) -> None:
    with served(redis_url, allow_hosts=("vigil.example",), allow_origins=("https://desk.example",)) as client:
        answer = client.get("/healthz", headers={"host": "vigil.example", "origin": "https://desk.example"})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://desk.example"
        problem(client.get("/healthz", headers={"origin": "https://other.example"}), 403, "foreign_origin")


def test_large_bodies_are_refused_whether_they_name_their_length_or_not(api: httpx.Client) -> None:
    large = b" " * (MAX_BODY_BYTES + 1)
    problem(api.post("/v1/policies/check", content=large), 413, "body_too_large")
    problem(api.post("/v1/policies/check", content=iter([large])), 413, "body_too_large")
    problem(api.post("/v1/streams", content=iter([large]), headers={"content-type": "application/json"}), 413, "body_too_large")
    assert api.get("/healthz").status_code == 200


def test_the_page_forbids_framing_and_foreign_content(api: httpx.Client) -> None:
    page = api.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


def test_no_page_file_names_another_origin() -> None:
    page = Path(__file__).parents[3] / "service" / "api" / "page"
    for path in [path for path in page.rglob("*") if path.suffix in (".html", ".js", ".css") and "vendor" not in path.parts]:
        text = path.read_text()
        assert 'src="http' not in text, path
        assert "url(http" not in text, path
        assert "@import" not in text, path


async def test_an_unforeseen_error_is_a_problem_without_details() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("secret detail")

    transport = httpx.ASGITransport(app=Boundary(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/")
    assert "secret" not in answer.text
    problem(answer, 500, "internal")
