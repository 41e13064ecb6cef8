"""Pushed streams are played at the operator's media server: that one place passes the guard, for them only."""

import pytest
from pydantic import ValidationError

from service.errors import StreamError
from service.ingest.address import AddressGuard
from service.ingest.pushed import GONE, UNPUBLISHED_AFTER_S, Presence, answers, as_played, media_server_guard, play_base, play_url
from service.settings import Settings
from service.types import Push, StreamCode, StreamSpec, StreamState
from tests.servers.hangs_up import HangsUp
from tests.servers.process import free_port

TOKEN = "a-token-of-the-operator"


def operator(push_url: str = "rtmp://media.example.com/live", play: str | None = None) -> Settings:
    return Settings(push_url=push_url, push_play_url=play, hook_token=TOKEN)


def test_workers_play_at_the_push_url_unless_they_reach_it_elsewhere() -> None:
    assert play_base(operator()) == "rtmp://media.example.com/live"
    assert play_base(operator(play="rtmp://mediamtx:1935/live")) == "rtmp://mediamtx:1935/live"
    assert play_base(Settings()) is None


def test_a_stream_is_played_where_the_media_server_is_today() -> None:
    spec = StreamSpec("s1", play_url("rtmp://old:1935/live", "s1", "k-_9"), "s1", 0.0, push=Push("hash"))
    assert spec.url == "rtmp://old:1935/live/s1?key=k-_9"
    assert as_played(spec, operator(play="rtmp://new/app")).url == "rtmp://new/app/s1?key=k-_9"
    assert as_played(spec, Settings()) == spec


def test_the_media_server_passes_in_any_network_and_nothing_else_does() -> None:
    guard = media_server_guard(operator(play="rtmp://10.20.30.40:1935/live"))
    assert guard.resolve("rtmp://10.20.30.40:1935/live/s1?key=k").address == "10.20.30.40"
    guard.check_url("rtmp://10.20.30.40/live/s1")
    for url in ("rtmp://10.20.30.40:1936/live/s1", "http://10.20.30.40/x.m3u8", "rtmp://10.20.30.41/live/s1", "rtmp://127.0.0.1/live/s1"):
        with pytest.raises(StreamError, match="not a public address"):
            guard.resolve(url)


def test_a_trusted_name_may_stand_for_a_private_address() -> None:
    guard = AddressGuard(lookup=lambda _host: ["172.18.0.5"], trust="rtmp://mediamtx:1935/live")
    assert guard.resolve("rtmp://mediamtx/live/s1").address == "172.18.0.5"
    with pytest.raises(StreamError, match="not a public address"):
        guard.resolve("rtmp://other/live/s1")


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.com/live", "rtmp://media.example.com", "rtmp://media.example.com/", "rtmp://media.example.com/a/b", "live",
        "rtmp://u:p@media.example.com/live", "rtmp://media.example.com/live?x=1", "rtmp:///live", "rtmp://media.example.com/live/",
    ],
)  # fmt: skip
def test_an_address_that_is_no_application_fails_at_birth_with_an_example(url: str) -> None:
    with pytest.raises(ValidationError, match=r"such as rtmp://media\.example\.com:1935/live"):
        operator(url)
    with pytest.raises(ValidationError, match=r"such as rtmp://media\.example\.com:1935/live"):
        operator(play=url)


def test_a_push_url_without_a_token_fails_at_birth() -> None:
    with pytest.raises(ValidationError, match="VIGIL_PUSH_URL needs VIGIL_HOOK_TOKEN"):
        Settings(push_url="rtmps://media.example.com/live")
    with pytest.raises(ValidationError, match="at least 16"):
        Settings(push_url="rtmps://media.example.com/live", hook_token="short")
    assert TOKEN not in repr(operator())


class Reports:
    """A reader's, with the clock in the test's hand, and all that they made the status show."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, is_gone: bool = False) -> None:
        self.now_s, self.answers, self.asked, self.shown = 1000.0, True, 0, list[tuple[StreamState, str]]()
        monkeypatch.setattr("service.ingest.pushed.time.monotonic", lambda: self.now_s)
        self._presence = Presence(lambda state, _code, message: self.shown.append((state, message)), self._ask, is_gone=is_gone)

    def _ask(self) -> bool:
        self.asked += 1
        return self.answers

    def after(self, seconds: float, state: StreamState, code: StreamCode | None = None) -> tuple[StreamState, str]:
        """What is shown of it."""
        self.now_s += seconds
        self._presence.report(state, code, "said")
        return self.shown[-1]


LONG_S = UNPUBLISHED_AFTER_S + 1.0


@pytest.mark.parametrize("code", ["not_found", "connection_failed", "timeout"])
def test_half_a_minute_without_a_picture_is_a_publisher_gone_until_there_is_one(monkeypatch: pytest.MonkeyPatch, code: StreamCode) -> None:
    reports = Reports(monkeypatch)
    assert reports.after(0.0, "connecting") == ("connecting", "said")
    assert reports.after(UNPUBLISHED_AFTER_S, "reconnecting", code) == ("reconnecting", "said")
    assert reports.after(1.0, "reconnecting", code) == ("ended", GONE)
    assert reports.after(1.0, "reconnecting", "timeout") == ("ended", GONE)
    assert reports.after(1.0, "connecting") == ("ended", GONE), "the reader began anew"
    assert reports.asked == 1
    assert reports.after(1.0, "live") == ("live", "said")
    assert reports.after(LONG_S, "stalled", "timeout") == ("stalled", "said"), "it was live till now"
    assert reports.after(0.0, "reconnecting", "timeout") == ("reconnecting", "said")
    assert reports.after(LONG_S, "reconnecting", code) == ("ended", GONE)


@pytest.mark.parametrize("code", ["auth_failed", "codec_unsupported", "tls"])
def test_a_failure_that_says_more_is_no_publisher_gone(monkeypatch: pytest.MonkeyPatch, code: StreamCode) -> None:
    reports = Reports(monkeypatch, is_gone=True)
    assert reports.after(1.0, "reconnecting", "not_found") == ("ended", GONE)
    assert reports.after(LONG_S, "reconnecting", code) == ("reconnecting", "said")
    assert reports.after(LONG_S, "reconnecting", "not_found") == ("reconnecting", "said"), "nobody knew until now"
    assert reports.after(LONG_S, "failed", code) == ("failed", "said")


def test_a_media_server_that_is_away_is_asked_again_half_a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = Reports(monkeypatch)
    reports.answers = False
    assert reports.after(LONG_S, "reconnecting", "connection_failed") == ("reconnecting", "said")
    reports.answers = True
    assert reports.after(1.0, "reconnecting", "not_found") == ("reconnecting", "said")
    assert reports.after(LONG_S, "reconnecting", "not_found") == ("ended", GONE)
    assert reports.asked == 2


def test_a_media_server_answers_when_it_shakes_hands() -> None:
    with HangsUp() as server:
        here = operator(f"rtmp://127.0.0.1:{server.port}/live")
        assert answers(f"rtmp://127.0.0.1:{server.port}/live/s1", media_server_guard(here))
        assert not answers(f"rtmp://127.0.0.1:{server.port}/live/s1", AddressGuard()), "no other place may be asked"
        assert server.plays == 0
    nowhere = f"rtmp://127.0.0.1:{free_port()}/live"
    assert not answers(f"{nowhere}/s1", media_server_guard(operator(nowhere)))
