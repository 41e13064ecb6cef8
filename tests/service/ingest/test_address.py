"""The address guard, by tables; a hand-written look-up stands in for the name server, so no packet leaves."""

import threading
import time
from collections.abc import Sequence

import pytest

from service.errors import StreamError
from service.ingest.address import AddressGuard, origin_of, parse_networks, split_endpoint


def answering(*addresses: str) -> AddressGuard:
    return AddressGuard(lookup=lambda _host: addresses)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.example/live.m3u8", ("a.example", 80)),
        ("https://a.example/live.m3u8", ("a.example", 443)),
        ("rtmp://a.example/live/cam", ("a.example", 1935)),
        ("rtmps://user:pass@a.example:8443/live/cam", ("a.example", 8443)),
        ("HTTP://A.Example./x", ("a.example", 80)),
        ("http://bücher.example/x", ("xn--bcher-kva.example", 80)),
        ("http://[2606:4700::1]:81/x", ("2606:4700::1", 81)),
    ],
)
def test_a_stream_url_names_a_host_and_a_port(url: str, expected: tuple[str, int]) -> None:
    assert split_endpoint(url) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "begins with one of http://"),
        ("rtsp://a.example/x", "'rtsp'"),
        ("a.example/live", "no scheme"),
        ("concat:http://a.example/1|file:///etc/passwd", "'concat'"),
        ("http://", "names a host"),
        ("http://a.example:0/x", "got 0"),
        ("http://a.example:99999/x", "1 to 65535"),
        ("http://a.example/a b", "no spaces"),
        ("http://a.example\\@10.0.0.1/", "backslashes"),
        ("http://a.example/\r\nHost: b", "no spaces"),
        ("http://a..example/x", "not a host name"),
        ("http://a.example/" + "x" * 3000, "2048"),
    ],
)
def test_a_url_that_cannot_be_a_stream_is_refused_with_a_sentence(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"stream URL|host name") as refused:
        AddressGuard().check_url(url)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "cam.localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0"),
        *("10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1"),
        *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[fec0::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[64:ff9b::a00:1]", "[2002:7f00:1::]", "[2001:0:1::1]", "[2001:db8::1]"),
    ],
)
def test_a_literal_inner_address_is_refused_without_asking_anyone(host: str) -> None:
    with pytest.raises(StreamError, match="not a public address") as refused:
        assert AddressGuard().resolve(f"http://{host}/live.m3u8").address == host.strip("[]")
    assert refused.value.code == "forbidden_address"
    assert refused.value.permanent


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]", "[64:ff9b::808:808]"])
def test_a_public_address_passes(host: str) -> None:
    guard = AddressGuard()
    guard.check_url(f"http://{host}/live.m3u8")
    assert guard.resolve(f"http://{host}/live.m3u8").address == host.strip("[]")


def test_the_vetted_address_is_the_one_to_connect_to() -> None:
    endpoint = answering("93.184.216.34", "2606:4700::1").resolve("rtmp://cam.example/live/x")
    assert (endpoint.host, endpoint.port, endpoint.address) == ("cam.example", 1935, "93.184.216.34")


@pytest.mark.parametrize("inner", ["127.0.0.1", "::1", "10.0.0.9", "fe80::1%eth0", "::ffff:10.0.0.9"])
def test_one_inner_address_among_public_ones_refuses_the_name(inner: str) -> None:
    with pytest.raises(StreamError) as refused:
        answering("93.184.216.34", inner).resolve("http://cam.example/x")
    assert refused.value.code == "forbidden_address"


def test_an_allowed_network_passes_and_its_neighbour_does_not() -> None:
    guard = AddressGuard(parse_networks(["127.0.0.1/32", "fd00::/8"]))
    assert guard.resolve("http://127.0.0.1:8080/x").address == "127.0.0.1"
    assert guard.resolve("http://[fd00::5]/x").address == "fd00::5"
    assert guard.resolve("http://[::ffff:127.0.0.1]/x").port == 80
    with pytest.raises(StreamError):
        guard.resolve("http://127.0.0.2/x")


def test_an_unknown_host_is_a_failed_connection_that_may_be_tried_again() -> None:
    def unknown(_host: str) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(StreamError, match=r"the host name nowhere\.example is not known") as failed:
        AddressGuard(lookup=unknown).resolve("http://nowhere.example/x")
    assert failed.value.code == "connection_failed"
    assert not failed.value.permanent


def test_a_slow_name_server_costs_bounded_time() -> None:
    release = threading.Event()

    def slow(_host: str) -> Sequence[str]:
        release.wait(5.0)
        return ["8.8.8.8"]

    begun_s = time.monotonic()
    with pytest.raises(StreamError, match=r"within 0\.2 s") as failed:
        AddressGuard(dns_timeout_s=0.2, lookup=slow).resolve("http://slow.example/x")
    release.set()
    assert failed.value.code == "timeout"
    assert time.monotonic() - begun_s < 1.0


def test_what_may_be_shown_of_a_url_holds_no_secret() -> None:
    assert origin_of("rtmps://user:hunter2@cam.example:8443/live/streamkey?token=t") == "rtmps://cam.example:8443"


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.300"):
        parse_networks(["10.0.0.300/8"])
