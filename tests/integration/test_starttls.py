"""The border between plaintext and TLS: nothing crosses it."""

import pytest

from secrets_in_logs import MARKER
from wire import Wire, trusting

INJECTED = {
    "noop": b"b NOOP\r\n",
    "capability": b"b CAPABILITY\r\n",
    "login": b"b LOGIN anna " + MARKER.encode() + b"\r\n",
    "second starttls": b"b STARTTLS\r\n",
    "half a command": b"b LOG",
    "one byte": b"b",
    "line end": b"\r\n",
    "TLS alert": b"\x15\x03\x03\x00\x02\x01\x00",
    "TLS application data": b"\x17\x03\x03\x00\x05hello",
}


@pytest.mark.parametrize("form", INJECTED)
def test_plaintext_behind_starttls(guard, backend, form):
    """What is behind STARTTLS in the same segment ends the session and is never executed."""
    recording = backend()
    front = guard(recording.address)
    with front.plain() as wire:
        wire.send(b"a STARTTLS\r\n" + INJECTED[form])
        answer = wire.rest()
        assert b"b OK" not in answer and b"b NO" not in answer and b"b BAD" not in answer
    assert front.end_of(wire) == "starttls-injection"
    assert not recording.peers


def test_client_hello_behind_starttls(guard, backend):
    """RFC 9051 6.2.1 allows the handshake to begin in the same segment."""
    front = guard(backend().address)
    with front.plain() as wire:
        wire.socket.sendall(b"a STARTTLS\r\n" + wire.hello())
        assert wire.line() == b"a OK Begin TLS negotiation now."
        wire.finish_handshake()
        assert wire.command(b"LOGIN anna " + MARKER.encode()).status.startswith(b"OK")


def test_trickled_starttls_and_hello(guard, backend):
    front = guard(backend().address)
    with front.plain() as wire:
        wire.trickle(b"a STARTTLS\r\n")
        assert wire.line() == b"a OK Begin TLS negotiation now."
        wire.trickle(wire.hello())
        wire.finish_handshake()
        assert wire.command(b"NOOP").status.startswith(b"OK ")


def test_no_second_greeting_and_no_starttls_in_tls(guard, backend):
    front = guard(backend().address)
    with front.plain() as wire:
        wire.starttls()
        reply = wire.command(b"CAPABILITY")
        words = reply.untagged[0].split()
        assert words[0] == b"CAPABILITY" and b"AUTH=PLAIN" in words
        assert b"STARTTLS" not in words and b"LOGINDISABLED" not in words
        assert wire.command(b"STARTTLS").status == b"BAD TLS is already active."


def test_no_starttls_on_implicit_listener(guard, backend):
    front = guard(backend().address)
    with front.secure() as wire:
        assert wire.command(b"STARTTLS").status == b"BAD TLS is already active."


def test_implicit_greeting(guard, backend, certificate):
    front = guard(backend().address)
    with Wire(("127.0.0.1", front.implicit_port)) as wire:
        wire.handshake(trusting(certificate))
        greeting = wire.line()
        assert greeting.startswith(b"* OK [CAPABILITY ") and greeting.endswith(b"] imapguard ready.")
        for word in (b"IMAP4rev1", b"SASL-IR", b"LITERAL-", b"ID", b"AUTH=PLAIN"):
            assert word in greeting.replace(b"]", b" ").split()
        assert b"STARTTLS" not in greeting and b"LOGINDISABLED" not in greeting


def test_first_record_is_not_tls(guard, backend):
    """Plaintext where the handshake is due ends the session, and is not executed."""
    front = guard(backend().address)
    with front.plain() as wire:
        assert wire.command(b"STARTTLS").status.startswith(b"OK ")
        wire.send(b"b NOOP\r\n")
        assert b"OK" not in wire.rest()
    assert front.end_of(wire) == "tls-failed"
