"""What a receiver is sent and what its answer means, by the scheme of standardwebhooks.com. Pure: no clock, no network, no Redis."""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

Verdict = Literal["delivered", "again", "never", "gone"]

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32
MAX_RETRY_AFTER_S = 300.0
_PASSING = frozenset({408, 425, 429})


def new_secret() -> str:
    """`whsec_` and base64: what receivers' libraries take."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed_headers(secret: str, event_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers: id (same on every try), Unix time of this try, signature over both and the body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{event_id}.{at_s}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def verdict(status: int | None) -> Verdict:
    """What an answer means, None being none: try again, never again, or (410) this receiver is gone for good."""
    if status is None:
        return "again"
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    return "never" if 400 <= status < 500 and status not in _PASSING else "again"


def retry_after_s(header: str | None, now_s: float) -> float:
    """What Retry-After asks for, at most MAX_RETRY_AFTER_S: seconds or an HTTP date (RFC 9110); 0 for none or one that is neither."""
    if header is None:
        return 0.0
    if header.isascii() and header.isdigit():
        return min(float(header), MAX_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, until.replace(tzinfo=until.tzinfo or UTC).timestamp() - now_s), MAX_RETRY_AFTER_S)
