"""Takes the secrets out of a URL before anyone sees it: user info and every value in the query, of a webhook the path too. Pure."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "***"
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)


def redact_url(url: str) -> str:
    """`rtmp://user:pw@host/app/name?token=x` -> `rtmp://***@host/app/name?token=***`. A URL that does not parse is hidden whole."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{HIDDEN}@{host}" if "@" in parts.netloc else parts.netloc
    return urlunsplit((parts.scheme, netloc, parts.path, _hide_values(parts.query), ""))


def redact_webhook(url: str) -> str:
    """`https://user:pw@host/services/T0/s3cret` -> `https://host/***`: many receivers are told from others by their path alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/{HIDDEN}" if parts.path.strip("/") or parts.query else f"{parts.scheme}://{host}"


def redact_text(text: str, redact: Callable[[str], str] = redact_url) -> str:
    """Redact every URL inside a sentence, such as a decoder's message."""
    return _URL.sub(lambda match: redact(match.group()), text)


def _hide_values(query: str) -> str:
    if not query:
        return ""
    return "&".join(f"{part.partition('=')[0]}={HIDDEN}" if "=" in part else HIDDEN for part in query.split("&"))
