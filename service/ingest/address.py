"""Which addresses a stream URL may reach: the one gate against request forgery. Resolves names, opens no connection.

Errors: ValueError for a URL that no network could serve (the text says what came and what is expected),
StreamError("forbidden_address") for one that this service will not reach.
"""

import queue
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from service.errors import StreamError

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
Lookup = Callable[[str], Sequence[str]]

DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
MAX_URL_CHARS = 2048
MAX_LOOKUPS = 16
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A vetted place to connect to: the name as the URL says it, and the one address it stands for from now on."""

    host: str
    port: int
    address: str


def parse_networks(texts: Iterable[str]) -> tuple[IPNetwork, ...]:
    """Networks from CIDR texts such as "127.0.0.1/32"."""
    return tuple(ip_network(text) for text in texts)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL: all of it that may be shown, since user, path and query can carry keys."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


class AddressGuard:
    """Lets public addresses pass, and those inside `allow_networks`; one bad address of a name refuses the name."""

    def __init__(
        self,
        allow_networks: Sequence[IPNetwork] = (),
        *,
        dns_timeout_s: float = 3.0,
        lookup: Lookup | None = None,
        trust: str | None = None,
    ) -> None:
        """`trust` is an operator's own URL: its host passes at its port, whatever address it has."""
        self._allow_networks = tuple(allow_networks)
        self._trusted = split_endpoint(trust) if trust else None
        self._dns_timeout_s = dns_timeout_s
        self._lookup = lookup or _system_lookup
        self._free_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)

    def check_url(self, url: str) -> None:
        """Everything about a URL that can be judged without asking the network."""
        host, port = split_endpoint(url)
        literal = _literal_address(host)
        if literal is not None and (host, port) != self._trusted:
            self._vet(host, literal)

    def resolve(self, url: str) -> Endpoint:
        """Ask for the addresses of the URL's host once and vet them all.

        Raises StreamError: forbidden_address, connection_failed (unknown name), timeout (slow name server).
        """
        host, port = split_endpoint(url)
        literal = _literal_address(host)
        addresses = [literal] if literal is not None else [_parse_address(text) for text in self._ask(host)]
        for address in () if (host, port) == self._trusted else addresses:
            self._vet(host, address)
        return Endpoint(host, port, str(addresses[0]))

    def _vet(self, host: str, address: IPAddress) -> None:
        carried = _carried_v4(address)
        judged = carried or address
        if any(judged in network for network in self._allow_networks if network.version == judged.version):
            return
        if not _is_public(judged):
            raise StreamError(
                "forbidden_address",
                f"{host} is {address}, which is not a public address; private ones must be listed in VIGIL_ALLOW_NETWORKS",
            )

    def _ask(self, host: str) -> Sequence[str]:
        answers: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()
        if not self._free_lookups.acquire(timeout=self._dns_timeout_s):
            raise StreamError("timeout", f"no name server answer for {host}: {MAX_LOOKUPS} other look-ups still wait")
        threading.Thread(target=self._answer, args=(host, answers), name="vigil-dns", daemon=True).start()
        try:
            answer = answers.get(timeout=self._dns_timeout_s)
        except queue.Empty:
            raise StreamError("timeout", f"no name server answer for {host} within {self._dns_timeout_s:g} s") from None
        if isinstance(answer, OSError) or not answer:
            raise StreamError("connection_failed", f"the host name {host} is not known") from None
        return answer

    def _answer(self, host: str, answers: "queue.SimpleQueue[Sequence[str] | OSError]") -> None:
        """Runs in its own thread, since the system's look-up has no time limit."""
        try:
            answers.put(self._lookup(host))
        except OSError as error:
            answers.put(error)
        finally:
            self._free_lookups.release()


def split_endpoint(url: str) -> tuple[str, int]:
    """Host (in ASCII form) and port of a stream URL; ValueError says what is wrong with it."""
    if len(url) > MAX_URL_CHARS:
        raise ValueError(f"a stream URL has at most {MAX_URL_CHARS} characters, got {len(url)}")
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise ValueError("a stream URL has no spaces, backslashes or control characters")
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(
            f"a stream URL begins with one of {', '.join(f'{name}://' for name in DEFAULT_PORTS)}, got {parts.scheme or 'no scheme'!r}"
        )
    return _ascii_host(parts), _port(parts)


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port of a stream URL is a number from 1 to 65535") from None
    if port == 0:
        raise ValueError("the port of a stream URL is a number from 1 to 65535, got 0")
    return port or DEFAULT_PORTS[parts.scheme]


def _ascii_host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise ValueError(f"a stream URL names a host after {parts.scheme}://, got none")
    if ":" in host:
        return str(_parse_address(host))
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{host!r} is not a host name") from None


def _parse_address(text: str) -> IPAddress:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


def _literal_address(host: str) -> IPAddress | None:
    """The address that a host spells out, in any of the forms that C libraries read: dotted, decimal, octal, hex, short."""
    if host == "localhost" or host.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    if ":" in host:
        return _parse_address(host)
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _carried_v4(address: IPAddress) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped (RFC 4291), or behind NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def _is_public(address: IPAddress) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, IPv4Address):
        return True
    return address in _GLOBAL_UNICAST_V6 and address.sixtofour is None and address.teredo is None


def _system_lookup(host: str) -> Sequence[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
