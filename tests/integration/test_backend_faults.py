"""Trouble with the backend never looks like a wrong password, and the session may try again."""

import os
import socket
import time

import pytest

from fakebackend import LegacyServer, closes, endless, says, silent
from fault_rows import failed_login, marked_down
from secrets_in_logs import MARKER
from waiting import wait_for

LOGIN = b"LOGIN anna " + MARKER.encode()
SHORT = {"connect_timeout": "1s", "login_timeout": "2s"}
# A failed login would be answered much later than any of these tests waits.
PENALTY = {"login_delay": "60s", "login_delay_max": "60s", "login_timeout": "120s"}
# A login that a backend may have judged is answered as late as a wrong one.
DELAY = 0.3


def at_login(answer):
    """A script that behaves up to the login and then says this, and the tag where it has {tag}."""
    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        while True:
            tag, _, rest = peer.line().partition(b" ")
            if rest.upper().startswith(b"LOGIN"):
                peer.send(answer.replace(b"{tag}", tag))
                peer.wait_rest()
            peer.send(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
    return script


def closes_at_login(peer):
    peer.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    while b"LOGIN" not in peer.line():
        pass


def resets_at_login(peer):
    closes_at_login(peer)
    peer.reset()


def says_nothing_to_id(peer):
    peer.send(b"* OK [CAPABILITY IMAP4rev1 ID] ready\r\n")
    peer.wait_rest()


# What the backend does, and the reason in the log.
FAULTS = {
    "no greeting": (silent, "greeting-timeout"),
    "closed at once": (closes, "connection-closed"),
    "BYE": (says(b"* BYE Too busy.\r\n"), "bye"),
    "PREAUTH": (says(b"* PREAUTH Welcome root.\r\n"), "preauth"),
    "NO greeting": (says(b"* NO\r\n"), "no-greeting"),
    "garbage": (says(b"\xff\xfe\x00\x01garbage\r\n"), "bad-byte"),
    "HTTP": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no-greeting"),
    "SMTP": (says(b"220 example.org ESMTP\r\n"), "no-greeting"),
    "tagged greeting": (says(b"a OK hello\r\n"), "no-greeting"),
    "invitation as greeting": (says(b"+ go on\r\n"), "no-greeting"),
    "empty line": (says(b"\r\n"), "no-greeting"),
    "greeting without end": (endless, "line-too-long"),
    "greeting in halves": (says(b"* OK rea"), "greeting-timeout"),
    "NUL in greeting": (says(b"* OK rea\0dy\r\n"), "bad-byte"),
    "bare LF in greeting": (says(b"* OK ready\n"), "bad-byte"),
    "64 KiB of greeting": (says(b"* OK " + b"x" * 65536 + b"\r\n"), "line-too-long"),
    "no answer to ID": (says_nothing_to_id, "id-timeout"),
    "wrong tag": (at_login(b"zzz OK Logged in.\r\n"), "nonsense"),
    "wrong tag, NO": (at_login(b"zzz NO Wrong.\r\n"), "nonsense"),
    "BAD": (at_login(b"{tag} BAD What?\r\n"), "backend-bad"),
    "BAD that repeats the password": (at_login(b"{tag} BAD What is LOGIN anna " + MARKER.encode() + b"?\r\n"), "backend-bad"),
    "BYE at login": (at_login(b"* BYE Shutting down.\r\n"), "bye"),
    "no answer": (at_login(b""), "login-timeout"),
    "half an answer": (at_login(b"{tag} O"), "login-timeout"),
    "NUL in the answer": (at_login(b"{tag} OK\0 Logged in.\r\n"), "bad-byte"),
    "bare LF in the answer": (at_login(b"{tag} OK Logged in.\n"), "bad-byte"),
    "no status": (at_login(b"{tag} MAYBE\r\n"), "nonsense"),
    "untagged without end": (at_login(b"* OK " + b"y" * 70000), "line-too-long"),
    "untagged for ever": (at_login(b"* OK still at it\r\n" * 20000), "too-many-lines"),
    "100 KiB of notices": (at_login((b"* OK [ALERT] " + b"x" * 4000 + b"\r\n") * 25), "answer-too-long"),
    "invitation at login": (at_login(b"+ more?\r\n"), "unexpected-continuation"),
    "closed in the middle": (closes_at_login, "connection-closed"),
    "reset in the middle": (resets_at_login, "connection-closed"),
    "NO [UNAVAILABLE]": (at_login(b"{tag} NO [UNAVAILABLE] The user database is down.\r\n"), "backend-refused"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_unavailable(guard, backend, fault):
    script, reason = FAULTS[fault]
    failing = backend(script, LegacyServer())
    judged = list(FAULTS).index(fault) >= list(FAULTS).index("wrong tag")
    front = guard(failing.address, backend_settings={**SHORT, "forward_id": True},
                  limits={"login_delay": f"{DELAY * 1000:.0f}ms"} if judged else PENALTY)
    with front.secure() as wire:
        begin = time.monotonic()
        assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE] ")
        assert not judged or time.monotonic() - begin >= DELAY
        assert wire.command(b"NOOP").status.startswith(b"OK ")
        assert wire.command(LOGIN).status.startswith(b"OK")
    wire.close()
    front.end_of(wire)
    failed_login(front, reason)
    # After the login, and after it has heard who the client is, the fault may be for this client alone.
    marked_down(front, reason, before_login=b"LOGIN" not in failing.peer().received and fault != "no answer to ID")
    assert len(front.events("login-unavailable")) == 1
    assert not front.events("login-failed")


def test_faults_are_no_login_attempts(guard, backend):
    """More of them than login_attempts allows; the session is still there."""
    failing = backend(closes, closes, closes, closes, closes, LegacyServer())
    front = guard(failing.address, backend_settings=SHORT, limits={**PENALTY, "login_attempts": 2})
    with front.secure() as wire:
        for _ in range(5):
            assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE] ")
        assert wire.command(LOGIN).status.startswith(b"OK")


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_refused_connection(guard, backend, place, kind):
    """A backend that is not there, and comes back."""
    absent = backend(path=place / "legacy.sock" if kind == "unix" else None)
    absent.stop()
    if absent.path:
        absent.path.unlink()
    front = guard(absent.address, backend_settings=SHORT, limits=PENALTY)
    with front.secure() as wire:
        assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE] ")
        reason = "no-such-socket" if absent.path else "connection-refused"
        failed_login(front, reason)
        marked_down(front, reason)
        absent.start()
        assert wire.command(LOGIN).status.startswith(b"OK")


def test_filtered_connection(guard, backend):
    """No answer at all, as from behind a firewall: a full queue drops what comes. The next login after it works."""
    absent = backend()
    absent.stop()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deaf.bind(("127.0.0.1", absent.port))
        deaf.listen(0)
        with socket.create_connection(("127.0.0.1", absent.port)):
            front = guard(absent.address, backend_settings=SHORT, limits=PENALTY)
            wire = front.secure()
            begin = time.monotonic()
            assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE] ")
            assert time.monotonic() - begin < 5
            failed_login(front, "connect-timeout")
            marked_down(front, "connect-timeout")
    absent.start()
    assert wire.command(LOGIN).status.startswith(b"OK")


def test_a_name_that_was_never_found(binary, guard, place):
    """The DNS was down at the start, and still is: in a mount namespace its server is one that nobody is."""
    if os.geteuid() != 0:
        pytest.skip("a mount namespace needs root")
    resolver = place / "resolv.conf"
    resolver.write_text("nameserver 127.0.5.53\noptions timeout:1 attempts:1\n")
    inner, outer = place / "in-namespace", place / "imapguard-without-dns"
    inner.write_text(f'#!/bin/sh\nmount --bind {resolver} /etc/resolv.conf && exec {binary} "$@"\n')
    outer.write_text(f'#!/bin/sh\nexec unshare --mount {inner} "$@"\n')
    for script in (inner, outer):
        script.chmod(0o755)
    front = guard("legacy.invalid:143", program=outer, backend_settings=SHORT, limits=PENALTY)
    with front.secure() as wire:
        assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE] ")
        assert wire.command(b"NOOP").status.startswith(b"OK ")
    failed_login(front, "no-address")
    marked_down(front, "no-address")


def test_trickling_backend(guard, backend):
    """Any split of the backend's bytes gives the same result."""
    class Trickle(LegacyServer):
        def __call__(self, peer):
            send = peer.send
            peer.send = lambda data: [send(bytes([byte])) for byte in data]
            super().__call__(peer)

    front = guard(backend(Trickle(capability=b"IMAP4rev1 IDLE", untagged=b"* CAPABILITY IMAP4rev1\r\n")).address)
    with front.secure() as wire:
        reply = wire.command(LOGIN)
        assert (reply.untagged, reply.status) == ([b"CAPABILITY IMAP4rev1"], b"OK Logged in.")


def at_login_later(answer):
    """As at_login(), but half a second later: the client has gone by then."""
    def script(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        tag = peer.line().partition(b" ")[0]
        time.sleep(0.5)
        peer.send(tag + answer)
        peer.wait_rest()
    return script


@pytest.mark.parametrize("stage, verdict", [
    (silent, "none"), (at_login(b""), "unknown"), (at_login_later(b" NO wrong\r\n"), "wrong"),
    (at_login_later(b" OK right\r\n"), "right")], ids=["greeting", "login", "wrong", "right"])
def test_client_leaves_while_the_backend_thinks(guard, backend, stage, verdict):
    """The backend's side is ended too, but not before it has judged what it has seen, or its time is over."""
    thinking = backend(stage)
    front = guard(thinking.address, backend_settings=SHORT)
    with front.secure() as wire:
        wire.send(b"a " + LOGIN + b"\r\n")
        peer = thinking.peer()
        wait_for(lambda: stage is silent or b"LOGIN" in peer.received, "the login at the backend")
    assert peer.ended.wait(10)
    assert front.end_of(wire) == "client-closed"
    assert front.event("login-aborted", user="anna")["verdict"] == verdict
