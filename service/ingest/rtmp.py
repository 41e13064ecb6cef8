"""How an RTMP address is handed to FFmpeg, so that it resolves no name itself. Opens no stream.

FFmpeg sends no server name (SNI) to a numeric address: an RTMPS server that picks its certificate by it needs an own address.
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from service.errors import StreamError
from service.ingest.address import Endpoint


@dataclass(frozen=True, slots=True)
class RtmpTarget:
    """What FFmpeg is given: the vetted address in the URL, the name that the server expects in the options."""

    url: str
    options: Mapping[str, str]


def pin_rtmp(url: str, endpoint: Endpoint) -> RtmpTarget:
    """Put the address in the place of the name; server and certificate still see the name."""
    parts = urlsplit(url)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    named = parts._replace(netloc=_netloc("", endpoint.host, parts.port), query="", fragment="", path=f"/{_app(parts)}")
    options = {"rtmp_tcurl": named.geturl()}
    if parts.scheme == "rtmps":
        trusted = ssl.get_default_verify_paths().cafile
        options |= {"tls_verify": "1", "verifyhost": endpoint.host, **({"ca_file": trusted} if trusted else {})}
    pinned = parts._replace(netloc=_netloc(user, endpoint.address, endpoint.port), fragment="")
    return RtmpTarget(pinned.geturl(), options)


def check_certificate(endpoint: Endpoint, timeout_s: float) -> None:
    """Shake hands once with an RTMPS server ahead of FFmpeg, which calls every TLS failure an input/output error."""
    try:
        with (
            socket.create_connection((endpoint.address, endpoint.port), timeout_s) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=endpoint.host),
        ):
            return
    except ssl.SSLError as error:
        raise StreamError("tls", f"{endpoint.host} fails TLS: {tls_reason(error)}") from None
    except TimeoutError:
        raise StreamError("timeout", f"{endpoint.host} does not answer in time") from None
    except OSError as error:
        raise StreamError("connection_failed", f"{endpoint.host} cannot be reached: {error.strerror or type(error).__name__}") from None


def tls_reason(error: ssl.SSLError) -> str:
    """Why a handshake failed, in OpenSSL's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return error.reason or "handshake failed"


def _netloc(user: str, host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return f"{user}{bracketed}:{port}" if port else f"{user}{bracketed}"


def _app(parts: SplitResult) -> str:
    """The application part of the path, as FFmpeg's rtmpproto.c splits it: one component, two where three or more follow."""
    names = parts.path.lstrip("/").split("/")
    return "/".join(names[:2] if len(names) > 2 and ":" not in names[1] else names[:1])
