"""No secret of an address gets out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.redact import redact_text, redact_url, redact_webhook

SECRETS = st.text("abcXYZ123!_~", min_size=6, max_size=12).map(lambda text: f"S3{text}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://media.example.com/live/cam", "rtmp://media.example.com/live/cam"),
        ("rtmp://u:p@media.example.com:1935/live/cam", "rtmp://***@media.example.com:1935/live/cam"),
        ("https://a.example/x.m3u8?token=abc&v=2", "https://a.example/x.m3u8?token=***&v=***"),
        ("https://a.example/x.m3u8?abc", "https://a.example/x.m3u8?***"),
        ("https://a.example/x#key", "https://a.example/x"),
        ("http://[::1", "***"),
    ],
)
def test_what_is_shown_of_an_address(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://desk.example.com/services/T0/B0/s3cret", "https://desk.example.com/***"),
        ("https://u:p@desk.example.com:8443/x?key=1#y", "https://desk.example.com:8443/***"),
        ("https://desk.example.com?key=1", "https://desk.example.com/***"),
        ("https://desk.example.com/", "https://desk.example.com"),
        ("http://[::1", "***"),
    ],
)
def test_of_a_webhook_only_the_origin_is_shown(url: str, shown: str) -> None:
    assert redact_webhook(url) == shown
    assert redact_text(f"cannot reach {url}", redact_webhook) == f"cannot reach {shown}"


@given(user=SECRETS, password=SECRETS, key=SECRETS)
def test_user_password_and_query_never_pass_even_inside_a_sentence(user: str, password: str, key: str) -> None:
    url = f"rtmp://{user}:{password}@host.example/live?key={key}"
    shown = redact_text(f"cannot open {url}, giving up")
    assert not any(secret in shown for secret in (user, password, key))
    assert "host.example/live" in shown
