"""Clients that are no mail clients: each ends soon, with a reason of its own, before any backend."""

import pytest

from wire import Wire, trusting

FOREIGN = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "HTTP POST": b"POST /cgi-bin/x HTTP/1.0\r\n\r\n",
    "HTTP CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\n\r\n",
    "SMTP": b"EHLO example.org\r\n",
    "SMTP HELO": b"HELO example.org\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
}

HOSTILE = {
    "line too long": (b"a NOOP " + b"x" * 8200, "line-too-long"),
    "endless first word": (b"x" * 8200, "line-too-long"),
    "NUL": (b"a NO\0OP\r\n", "nul"),
    "bad tag": (b"a+b NOOP\r\n", "bad-tag"),
    "tag with controls": (b"\x1b[2J NOOP\r\n", "bad-tag"),
    "unexpected literal": (b"a NOOP {5}\r\n", "unexpected-literal"),
    "unexpected literal+": (b"a SELECT {5+}\r\nINBOX\r\n", "unexpected-literal"),
}


@pytest.fixture
def front(guard, backend):
    recording = backend()
    yield guard(recording.address)
    assert not recording.peers


@pytest.mark.parametrize("protocol", FOREIGN)
def test_foreign_protocol(front, protocol):
    with front.plain() as wire:
        wire.send(FOREIGN[protocol])
        wire.rest()
    assert front.end_of(wire) == "foreign-protocol"


def test_tls_on_the_starttls_listener(front):
    with front.plain() as wire:
        wire.socket.sendall(wire.hello())
        assert wire.rest() == bytes([21, 3, 1, 0, 2, 2, 10]), "an alert: unexpected message"
    assert front.end_of(wire) == "foreign-protocol"


@pytest.mark.parametrize("form", HOSTILE)
def test_hostile_line(front, form):
    data, reason = HOSTILE[form]
    with front.plain() as wire:
        wire.send(data)
        wire.rest()
    assert front.end_of(wire) == reason


def test_long_id_is_no_long_line(front):
    """ID has room for the 30 pairs that RFC 2971 allows."""
    pairs = b" ".join(b'"key-%d" "%s"' % (number, b"v" * 1000) for number in range(30))
    with front.plain() as wire:
        assert wire.command(b"ID (" + pairs + b")").status.startswith(b"OK ")


@pytest.mark.parametrize("layer", ["plain", "secure"])
def test_five_bad_commands(front, layer):
    with getattr(front, layer)() as wire:
        for _ in range(4):
            assert wire.command(b"XYZZY").status.startswith(b"BAD ")
        wire.send(b"a XYZZY\r\n")
        assert b"* BYE Too many bad commands.\r\n" in wire.rest()
    assert front.end_of(wire) == "too-many-bad-commands"


def test_plaintext_on_the_implicit_listener(front):
    with Wire(("127.0.0.1", front.implicit_port)) as wire:
        wire.send(b"a LOGIN anna Geheim47\r\n")
        assert b"OK" not in wire.rest()
    assert front.end_of(wire) == "cleartext-on-tls-port"


def test_connect_and_leave(front):
    """Port scanners: no word, at any point of the way."""
    with front.connect() as wire:
        pass
    front.end_of(wire)
    with Wire(("127.0.0.1", front.implicit_port)) as wire:
        wire.socket.sendall(wire.hello(trusting())[:100])
    front.end_of(wire)
    with front.plain() as wire:
        wire.send(b"a NOO")
        wire.reset()
    front.end_of(wire)
