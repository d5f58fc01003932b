"""The PROXY header of a load balancer: whom to believe, and what becomes of the address."""

import socket
import struct

import pytest

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BALANCER, STRANGER, CLIENT = "127.0.9.1", "127.0.1.9", "198.51.100.7"


def v1(source=CLIENT):
    return b"PROXY TCP4 " + source.encode() + b" 192.0.2.1 40000 143\r\n"


def v2(source=CLIENT, extra=b""):
    body = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 40000, 143) + extra
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(body)) + body


def v2_ipv6(source):
    body = socket.inet_pton(socket.AF_INET6, source) * 2 + struct.pack("!HH", 40000, 143)
    return SIGNATURE + b"\x21\x21" + struct.pack("!H", len(body)) + body


LARGEST = v2(extra=b"\xe0" + struct.pack("!H", 65535 - 12 - 3) + bytes(65535 - 12 - 3))


@pytest.fixture
def front(guard, backend):
    return guard(backend().address, listeners={"proxy_protocol": ["127.0.9.0/24"]},
                 access=[{"name": "far", "action": "deny", "networks": ["203.0.113.0/24", "2001:db8:bad::/48"]}],
                 limits={"sessions": 2, "handshake_timeout": "1s"})


@pytest.mark.parametrize("header", [v1(), v2(), LARGEST], ids=["v1", "v2", "largest"])
def test_the_clients_address_is_the_headers(front, header):
    with front.connect(source=BALANCER, header=header) as wire:
        assert wire.line().startswith(b"* OK")
    event = front.event("disconnect", rip=CLIENT)
    assert (event["rport"], event["lip"], event["lport"]) == ("40000", "192.0.2.1", "143")


@pytest.mark.parametrize("header", [v1("203.0.113.9"), v2("203.0.113.9"), v2_ipv6("2001:db8:bad::1")])
def test_rules_see_the_headers_address(front, header):
    with front.connect(source=BALANCER, header=header) as wire:
        assert wire.rest() == b""
    front.event("denied", rule="far")


def test_limits_see_the_headers_address(front):
    with front.connect(source=BALANCER, header=v1()) as one, front.connect(source=BALANCER, header=v2()) as two:
        assert one.line().startswith(b"* OK") and two.line().startswith(b"* OK")
        with front.connect(source=BALANCER, header=v1()) as wire:
            assert wire.line() == b"* BYE [LIMIT] Too many connections from your network."
        with front.connect(source=BALANCER, header=v1("198.51.100.8")) as wire:
            assert wire.line().startswith(b"* OK")


def test_a_login_behind_a_header_over_implicit_tls(front):
    with front.secure(source=BALANCER, header=v2()) as wire:
        assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")
    assert front.event("login")["rip"] == CLIENT


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\0\0"], ids=["UNKNOWN", "LOCAL"])
def test_a_header_without_an_address_leaves_the_balancers(front, header):
    with front.connect(source=BALANCER, header=header) as wire:
        assert wire.line().startswith(b"* OK")
    front.event("disconnect", rip=BALANCER)


def test_the_balancer_must_send_one(front):
    with front.connect(source=BALANCER) as wire:
        wire.send(b"a CAPABILITY\r\n")
        assert wire.rest() == b""
    assert front.event("disconnect", rip=BALANCER)["reason"] == "proxy-header"
    with front.connect(source=BALANCER) as wire:
        assert wire.rest() == b"", "and not wait for ever"


def test_others_must_not(front):
    with front.connect(source=STRANGER) as wire:
        assert wire.line().startswith(b"* OK")
        wire.send(v1())
        assert wire.rest().startswith(b"* BYE")
    assert front.event("disconnect", rip=STRANGER)["protocol"] == "proxy"
    assert not front.events("disconnect", rip=CLIENT)


def test_a_header_in_many_pieces(front):
    with front.connect(source=BALANCER) as wire:
        wire.trickle(v2(extra=b"\x04\0\x03abc"))
        assert wire.line().startswith(b"* OK")
    front.event("disconnect", rip=CLIENT)
