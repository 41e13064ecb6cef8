"""What a moderator sees and does."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from service.state.store import Store
from tests.browser.conftest import Scene, Watched
from tests.servers.process import wait_until
from tests.service.api.actor import Actor, made_stream


def canvas_colours(page: Page) -> int:
    """How many different colours the picture shows."""
    script = """() => {
        const canvas = document.getElementById("picture-canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let i = 0; i < data.length; i += 4) seen.add((data[i] >> 4) << 8 | (data[i + 1] >> 4) << 4 | data[i + 2] >> 4);
        return seen.size;
    }"""
    return int(page.evaluate(script))


def pixel(page: Page, x: float, y: float) -> list[int]:
    """The colour at a place given as fractions of the picture."""
    script = """([x, y]) => {
        const canvas = document.getElementById("picture-canvas");
        return [...canvas.getContext("2d").getImageData(x * canvas.width, y * canvas.height, 1, 1).data].slice(0, 3);
    }"""
    return list(page.evaluate(script, [x, y]))


def drawn_frames(page: Page) -> int:
    return int(page.locator("#picture-canvas").get_attribute("data-frames") or 0)


def wide_as_the_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_an_empty_console_says_what_to_do(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("Nothing is watched yet")).to_be_visible()
    expect(page.get_by_text("All clear")).to_be_visible()
    expect(page.locator("#health-text")).to_have_text("All parts work")


def test_a_stream_is_added_by_its_address_and_stopped_again(page: Page, server: tuple[httpx.Client, Store]) -> None:
    _, store = server
    page.goto("/")
    page.get_by_label("Stream address").fill("http://user:pa55@127.0.0.1:9/hall/index.m3u8")
    page.keyboard.press("Enter")
    row = page.get_by_role("button", name="127.0.0.1/hall/index.m3u8")
    expect(row).to_have_attribute("aria-current", "true")
    expect(row).to_contain_text("pending")
    assert "pa55" not in page.content()
    assert [spec.url for spec in store.list_streams()] == ["http://user:pa55@127.0.0.1:9/hall/index.m3u8"]
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Keep watching").click()
    assert len(store.list_streams()) == 1
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop watching").click()
    expect(page.get_by_text("Nothing is watched yet")).to_be_visible()
    assert store.list_streams() == ()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://127.0.0.1/x", "got 'ftp'."),
        ("http://10.1.2.3/live.m3u8", "10.1.2.3 is 10.1.2.3, which is not a public address"),
        ("", "Type the address of a stream first"),
    ],
)
def test_a_bad_address_is_answered_with_a_sentence(page: Page, watched: Watched, url: str, sentence: str) -> None:
    page.goto("/")
    page.get_by_label("Stream address").fill(url)
    page.get_by_role("button", name="Watch", exact=True).first.click()
    expect(page.locator("#add-error")).to_contain_text(sentence)
    expect(page.get_by_label("Stream address")).to_be_focused()
    page.get_by_label("Stream address").fill("rtmp://")
    expect(page.locator("#add-error")).to_be_hidden()
    watched.errors[:] = [error for error in watched.errors if "status of 40" not in error]


def test_the_picture_comes_with_boxes_in_step_with_it(page: Page, scene: Scene) -> None:
    del scene
    page.goto("/")
    expect(page.get_by_role("button", name="Lobby")).to_contain_text("live")
    wait_until(lambda: drawn_frames(page) > 3, "the first pictures")
    assert canvas_colours(page) > 12
    before = drawn_frames(page)
    wait_until(lambda: drawn_frames(page) > before + 5, "more pictures")
    still_table_edge = pixel(page, 0.45, 0.8)
    assert max(still_table_edge) - min(still_table_edge) > 60, f"the table's box is not drawn in its colour: {still_table_edge}"
    latency = page.locator("#fig-latency").inner_text()
    assert latency.endswith(" ms"), latency
    expect(page.locator("#fig-things")).to_have_text("3")
    expect(page.locator("#picture-note")).to_be_hidden()


def test_graph_and_relations_are_those_of_the_stream(page: Page, scene: Scene) -> None:
    del scene
    page.goto("/")
    expect(page.locator("#graph-canvas")).to_have_attribute("data-nodes", "3")
    expect(page.locator("#graph-canvas")).to_have_attribute("data-edges", "2")
    relation = page.locator("#relation-list button").filter(has_text="holding")
    expect(relation).to_contain_text("person 3")
    expect(relation).to_contain_text("cup 7")
    expect(relation).to_contain_text("for ")
    relation.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")


def test_a_relation_that_ends_leaves_the_list(page: Page, scene: Scene) -> None:
    page.goto("/")
    expect(page.locator("#relation-list li")).to_have_count(2)
    scene.stop.set()
    with scene.lock:
        scene.actor.show(type(scene.actor.graph)(scene.actor.graph.nodes[:1], ()))
    expect(page.locator("#relation-list li")).to_have_count(0)
    expect(page.locator("#graph-canvas")).to_have_attribute("data-nodes", "1")
    expect(page.get_by_text("Relations appear here while they hold.")).to_be_visible()


def test_an_alert_appears_with_its_proof_and_is_acknowledged_then_dismissed_with_a_reason(
    page: Page, scene: Scene, server: tuple[httpx.Client, Store]
) -> None:
    _, store = server
    page.goto("/")
    expect(page.locator("#relation-list li")).to_have_count(2)
    with scene.lock:
        scene.actor.raise_alert("a1", "critical")
    alert = page.locator('.alert[data-id="a1"]')
    expect(alert).to_have_attribute("data-severity", "critical")
    expect(alert).to_contain_text("person 3 has been holding cup 7 for 1.0 s")
    expect(alert.get_by_label("Proof")).to_contain_text("holding")
    expect(alert).to_contain_text("Lobby")
    expect(page.locator("#toast")).to_contain_text("critical")
    alert.get_by_role("button", name="Acknowledge").click()
    expect(alert).to_have_attribute("data-state", "acked")
    alert.get_by_role("button", name="Dismiss").click()
    reason = alert.get_by_label("Why is this not a violation?")
    expect(reason).to_be_focused()
    reason.fill("A toy cup.")
    page.keyboard.press("Enter")
    expect(alert).to_be_hidden()
    stored = store.alerts.get("a1")
    assert stored is not None
    assert (stored.state, stored.notes[-1].reason) == ("dismissed", "A toy cup.")
    page.locator("#alerts-filter").select_option("all")
    expect(alert).to_contain_text("A toy cup.")


def test_a_stream_without_picture_says_why(page: Page, server: tuple[httpx.Client, Store]) -> None:
    _, store = server
    made_stream(store)
    Actor(store).say("reconnecting", "timeout", "the source does not answer; next try in 4 s")
    page.goto("/")
    expect(page.locator("#picture-note")).to_contain_text("The source is gone; trying again: the source does not answer; next try in 4 s")
    expect(page.get_by_role("button", name="Lobby")).to_contain_text("reconnecting")


def test_markup_in_names_and_labels_stays_text(page: Page, server: tuple[httpx.Client, Store]) -> None:
    _, store = server
    made_stream(store, name='<img src=x onerror="window.broken=1">')
    page.goto("/")
    expect(page.locator("#stage-title")).to_have_text('<img src=x onerror="window.broken=1">')
    assert page.evaluate("window.broken") is None


def test_a_lost_connection_is_seen_and_heals(page: Page, scene: Scene, watched: Watched) -> None:
    del scene
    sockets: list[Any] = []
    page.route_web_socket("**/v1/**", lambda socket: sockets.append((socket, socket.connect_to_server())))
    page.goto("/")
    expect(page.locator("#relation-list li")).to_have_count(2)
    alerts = next(socket for socket, _ in sockets if socket.url.endswith("/v1/alerts"))
    alerts.close(code=1012)
    expect(page.locator("#banner")).to_contain_text("Connection lost")
    expect(page.locator("#banner")).to_be_hidden()
    graph = next(socket for socket, _ in sockets if "/graph" in socket.url)
    graph.close(code=1013)
    expect(page.locator("#relation-list li")).to_have_count(2)
    watched.foreign.clear()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_scrolls_sideways(page: Page, scene: Scene, width: int) -> None:
    with scene.lock:
        scene.actor.raise_alert("a1", "high", "person 3 has been holding cup 7 " + "for a very long while " * 6)
    made_stream(scene.store, "s2", "https://media.example.com/" + "long" * 40 + ".m3u8", "A-stream-with-one-very-long-name-" * 3)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/")
    expect(page.locator(".stream")).to_have_count(2)
    for view in ("streams", "watch", "alerts") if width == 390 else ("",):
        if view:
            page.locator(f'.tabs [data-view="{view}"]').click()
        page.wait_for_timeout(300)
        assert wide_as_the_window(page), f"{view or 'the page'} is wider than {width} pixels"
    page.goto("/docs")
    expect(page.get_by_text("/v1/streams/{stream_id}/graph")).to_be_visible()
    assert wide_as_the_window(page)


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(page: Page, scene: Scene) -> None:
    with scene.lock:
        scene.actor.raise_alert("a1")
    page.goto("/")
    expect(page.locator(".alert")).to_have_count(1)
    script = """() => [...document.querySelectorAll("button, input, select, a")]
        .filter((one) => one.offsetParent && !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
        .map((one) => one.outerHTML)"""
    assert page.evaluate(script) == []
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(str(page.evaluate("document.activeElement.textContent.trim().slice(0, 12)")))
    assert {"Acknowledge", "Dismiss", "Stop", "Watch"} <= reached
