"""What a moderator sees and does to take a push: the key is shown once, copied, and leaves the page."""

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from service.state.store import Store
from service.types import StreamCode, StreamState
from tests.browser.conftest import Watched
from tests.service.api.actor import Actor, made_stream

SERVER = "rtmp://media.example.com:1935/live"
SETTINGS: dict[str, object] = {"push_url": SERVER, "hook_token": "a-token-of-enough-letters", "allow_hosts": ("vigil.test",)}

SENTENCES: tuple[tuple[tuple[StreamState, StreamCode | None, str], str], ...] = (
    (("pending", None, "waits for its publisher"), "Waits for its publisher"),
    (("connecting", None, ""), "Its publisher is there; opening what it sends"),
    (("reconnecting", "timeout", "it does not answer"), "What its publisher sends broke off; trying again: it does not answer"),
    (("ended", None, "its publisher stopped"), "Its publisher stopped"),
)


@pytest.fixture
def options() -> dict[str, object]:
    return SETTINGS


@pytest.fixture
def dialog(page: Page) -> Locator:
    return page.locator("#publish")


def choose_push(page: Page) -> None:
    page.get_by_role("radio", name="Take a push").check()


def take_a_push(page: Page, name: str = "Sunday") -> dict[str, str]:
    """Fill and send the form. Gives what the API answered of publishing."""
    choose_push(page)
    page.get_by_label("Name", exact=True).fill(name)
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        page.get_by_role("button", name="Get key").click()
    publish: dict[str, str] = answered.value.json()["publish"]
    return publish


def key_hash(store: Store) -> str:
    [spec] = store.list_streams()
    assert spec.push is not None
    return spec.push.key_hash


def left_in_the_page(page: Page) -> str:
    """All that the page holds: its markup, what its fields hold, its stores, its address."""
    script = """() => JSON.stringify([
        document.documentElement.outerHTML, [...document.querySelectorAll("input, textarea")].map((one) => one.value),
        {...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state])"""
    return str(page.evaluate(script))


def test_a_push_is_taken_by_keyboard_and_its_key_shown_once(page: Page, dialog: Locator, server: tuple[httpx.Client, Store]) -> None:
    _, store = server
    page.goto("/")
    page.get_by_role("radio", name="Watch an address").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Stream address")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Sunday")
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        page.keyboard.press("Enter")
    publish = answered.value.json()["publish"]
    expect(dialog).to_contain_text("The stream key is shown once")
    expect(dialog.get_by_role("heading")).to_have_text("Publish to Sunday")
    expect(dialog.get_by_label("Server", exact=True)).to_have_value(SERVER)
    expect(dialog.get_by_label("Stream Key", exact=True)).to_have_value(publish["stream_key"])
    assert f'"{SERVER}/{publish["stream_key"]}"' in dialog.get_by_label("ffmpeg command", exact=True).input_value()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    secret = publish["stream_key"].partition("key=")[2]
    assert secret in left_in_the_page(page)
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Sunday")).to_be_focused()
    assert secret not in left_in_the_page(page)
    assert [(spec.name, secret in repr(spec)) for spec in store.list_streams()] == [("Sunday", False)]


def test_a_key_is_copied_where_the_browser_gives_no_clipboard(
    page: Page, dialog: Locator, server: tuple[httpx.Client, Store], watched: Watched
) -> None:
    client, _ = server
    page.goto(f"http://vigil.test:{client.base_url.port}/")
    assert page.evaluate("[isSecureContext, navigator.clipboard === undefined]") == [False, True]
    publish = take_a_push(page)
    dialog.get_by_role("button", name="Copy Stream Key").click()
    expect(dialog.get_by_role("status")).to_have_text("Stream Key copied")
    page.evaluate("document.execCommand = () => false")
    dialog.get_by_role("button", name="Copy Stream Key").click()
    expect(dialog.get_by_role("status")).to_have_text("Selected: copy it with Ctrl+C or ⌘C")
    assert page.evaluate("getSelection().toString()") == publish["stream_key"]
    watched.foreign.clear()
    watched.errors[:] = [error for error in watched.errors if "origin was untrustworthy" not in error]


def test_each_copy_button_copies_what_stands_beside_it(page: Page, dialog: Locator) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/")
    publish = take_a_push(page)
    for label, value in (("Server", SERVER), ("Stream Key", publish["stream_key"])):
        dialog.get_by_role("button", name=f"Copy {label}").click()
        expect(dialog.get_by_role("status")).to_have_text(f"{label} copied")
        assert page.evaluate("navigator.clipboard.readText()") == value
    dialog.get_by_role("button", name="Copy ffmpeg command").click()
    expect(dialog.get_by_role("status")).to_have_text("ffmpeg command copied")
    assert str(page.evaluate("navigator.clipboard.readText()")).endswith(f'"{publish["url"]}"')


def test_a_new_key_is_made_only_after_yes(page: Page, dialog: Locator, server: tuple[httpx.Client, Store]) -> None:
    _, store = server
    page.goto("/")
    old = take_a_push(page)["stream_key"]
    dialog.get_by_role("button", name="I have copied it").click()
    old_hash = key_hash(store)
    page.get_by_role("button", name="New key", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text('The key that "Sunday" has now ends at once')
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("button", name="New key", exact=True)).to_be_focused()
    assert key_hash(store) == old_hash
    page.get_by_role("button", name="New key", exact=True).click()
    page.get_by_role("button", name="Make a new key").click()
    expect(dialog).to_be_visible()
    new = dialog.get_by_label("Stream Key", exact=True).input_value()
    assert (new.partition("?")[0], new != old, key_hash(store) != old_hash) == (old.partition("?")[0], True, True)
    dialog.get_by_role("button", name="I have copied it").click()
    assert new.partition("key=")[2] not in left_in_the_page(page)


@pytest.mark.parametrize("options", [{}])
def test_without_a_media_server_the_page_says_so(page: Page, dialog: Locator, watched: Watched, options: dict[str, object]) -> None:
    del options
    page.goto("/")
    choose_push(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#add-error")).to_contain_text("VIGIL_PUSH_URL")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(dialog).to_be_hidden()
    page.get_by_role("radio", name="Watch an address").check()
    expect(page.locator("#add-error")).to_be_hidden()
    expect(page.get_by_label("Stream address")).to_have_attribute("aria-invalid", "false")
    watched.errors[:] = [error for error in watched.errors if "Failed to load resource" not in error]
    assert watched.errors == []


def test_the_state_of_a_push_is_told_in_its_own_words(page: Page, dialog: Locator, server: tuple[httpx.Client, Store]) -> None:
    _, store = server
    page.goto("/")
    take_a_push(page)
    dialog.get_by_role("button", name="I have copied it").click()
    note = page.locator("#picture-note")
    expect(note).to_have_text("Waiting for a worker to take it")
    (spec,) = store.list_streams()
    assert spec.push is not None
    worker = Actor(store, spec.id)
    for said, sentence in SENTENCES:
        worker.say(*said)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # the list asks at once
        expect(note).to_have_text(sentence)
    worker.say("live")
    expect(page.get_by_role("button", name="Sunday")).to_contain_text("pushed to Vigil")


def top(page: Page, selector: str) -> float:
    return float(page.locator(selector).evaluate("(one) => one.getBoundingClientRect().top"))


def misfits(part: Locator) -> list[str]:
    """What does not fit in a part of the page: elements that stick out of the window, elements whose content sticks out of them."""
    script = """(part) => [part, ...part.querySelectorAll("*")].filter((one) => {
        const { left, right } = one.getBoundingClientRect();
        const spills = one.scrollWidth > one.clientWidth && one.clientWidth > 0 && getComputedStyle(one).overflowX === "visible";
        return left < 0 || right > innerWidth || spills;
    }).map((one) => one.id || one.tagName)"""
    return list(part.evaluate(script))


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_jumps_or_sticks_out(page: Page, dialog: Locator, server: tuple[httpx.Client, Store], width: int) -> None:
    _, store = server
    made_stream(store)
    Actor(store).say("live")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/")
    expect(page.locator(".stream")).to_have_count(1)
    form, head = page.locator("#add-form"), page.locator(".stage-head")
    list_at = top(page, "#stream-list")
    take_a_push(page, "A-push-with-one-very-long-name-" * 2)
    expect(dialog).to_be_visible()
    assert (misfits(dialog), misfits(form), top(page, "#stream-list")) == ([], [], list_at)
    dialog.get_by_role("button", name="I have copied it").click()
    pictures_at = []
    for name in ("Lobby", "A-push-with"):
        page.locator('.tabs [data-view="streams"]').evaluate("(tab) => tab.click()")
        page.locator(".stream").filter(has_text=name).click()
        assert misfits(head) == []
        assert page.locator("#stage-title").evaluate("(title) => title.clientWidth") > 100
        pictures_at.append(top(page, "#picture"))
    assert pictures_at[0] == pictures_at[1]
