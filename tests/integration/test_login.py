"""Logging in to the real legacy server: every way to say a password, and every byte in one."""

import base64
import time

import pytest

from secrets_in_logs import password
from wire import trusting

PASSWORDS = {
    "plain": password(),
    "space": password(" with spaces "),
    "quote": password('"quoted"'),
    "backslash": password("\\back\\\\slash\\"),
    "braces": password("{5}{5+}"),
    "wildcards": password("%*%%"),
    "parentheses": password("(a)(b"),
    "brackets": password("[a]]"),
    "UTF-8": password("äöü€𝄞"),
    "colon": password(":x:"),
    "tilde and delete": password("~\x7f"),
    "controls": password("\x02\x1b\x1f"),
    "long": password("x" * 900),
}


def quoted(text):
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def by_quoted(wire, user, secret):
    return wire.command(b"LOGIN " + quoted(user) + b" " + quoted(secret)).status


def by_literals(wire, user, secret):
    """Synchronizing literals: each waits to be asked for."""
    user, secret = user.encode(), secret.encode()
    wire.challenged(b"a LOGIN {%d}\r\n" % len(user))
    wire.challenged(user + b" {%d}\r\n" % len(secret))
    wire.send(secret + b"\r\n")
    return wire.reply(b"a").status


def by_literals_plus(wire, user, secret):
    user, secret = user.encode(), secret.encode()
    wire.send(b"a LOGIN {%d+}\r\n%b {%d+}\r\n%b\r\n" % (len(user), user, len(secret), secret))
    return wire.reply(b"a").status


def plain_response(user, secret):
    return base64.b64encode(b"\0" + user.encode() + b"\0" + secret.encode())


def by_plain(wire, user, secret):
    wire.challenged(b"a AUTHENTICATE PLAIN\r\n")
    wire.send(plain_response(user, secret) + b"\r\n")
    return wire.reply(b"a").status


def by_plain_at_once(wire, user, secret):
    return wire.command(b"AUTHENTICATE PLAIN " + plain_response(user, secret)).status


def by_sasl_login(wire, user, secret):
    wire.challenged(b"a AUTHENTICATE LOGIN\r\n")
    wire.challenged(base64.b64encode(user.encode()) + b"\r\n")
    wire.send(base64.b64encode(secret.encode()) + b"\r\n")
    return wire.reply(b"a").status


METHODS = [by_quoted, by_literals, by_literals_plus, by_plain, by_plain_at_once, by_sasl_login]


@pytest.fixture
def front(guard, dovecot):
    return guard(dovecot.address)


@pytest.mark.parametrize("kind", PASSWORDS)
def test_every_password_by_every_method(front, dovecot, account, kind):
    user, secret = account[0], PASSWORDS[kind]
    dovecot.add_user(user, secret)
    for method in METHODS:
        with front.secure() as wire:
            assert method(wire, user, secret).startswith(b"OK"), method.__name__
            assert wire.command(b"SELECT INBOX").status.startswith(b"OK"), method.__name__
        front.event("login", rport=wire.port, user=user, method=(
            "PLAIN" if "plain" in method.__name__ else "LOGIN"), backend="legacy", listener="imaps")


@pytest.mark.parametrize("method", METHODS)
def test_trickled_login(front, account, method):
    """Any split of the bytes gives the same result."""
    with front.plain() as wire:
        wire.starttls()
        wire.trickling = True
        assert method(wire, *account).startswith(b"OK")


def test_wrong_password(guard, dovecot, account, certificate):
    """NO [AUTHENTICATIONFAILED] after a delay that doubles; the third is the last."""
    front = guard(dovecot.address, limits={"login_delay": "1s", "login_attempts": 3})
    with front.secure(trusting(certificate)) as wire:
        for delay in (1, 2):
            begin = time.monotonic()
            status = wire.command(b"LOGIN %s Geheim47-%d" % (account[0].encode(), delay)).status
            assert status.startswith(b"NO [AUTHENTICATIONFAILED]")
            assert time.monotonic() - begin > delay * 0.95
        wire.send(b"a LOGIN " + account[0].encode() + b" Geheim47-wrong\r\n")
        assert b"* BYE " in wire.rest()
    assert len(front.events("login-failed", rport=wire.port, user=account[0])) == 3


def test_the_same_wrong_password_by_each_mechanism_is_asked_once_and_waits_no_longer(guard, dovecot, account, certificate):
    """As Thunderbird and Claws Mail do it on one connection."""
    front = guard(dovecot.address, limits={"login_delay": "1s", "login_attempts": 3})
    response = base64.b64encode(b"\0" + account[0].encode() + b"\0Geheim47-wrong")
    with front.secure(trusting(certificate)) as wire:
        for line in b"AUTHENTICATE PLAIN " + response, b"LOGIN " + account[0].encode() + b" Geheim47-wrong":
            begin = time.monotonic()
            assert wire.command(line).status.startswith(b"NO [AUTHENTICATIONFAILED]")
            assert 0.95 < time.monotonic() - begin < 1.9
    first, second = front.events("login-failed", rport=wire.port)
    assert first["backend"] == "legacy" and "backend" not in second.values


def test_right_password_after_a_wrong_one(front, account):
    with front.secure() as wire:
        assert wire.command(b"LOGIN x Geheim47").status.startswith(b"NO [AUTHENTICATIONFAILED]")
        assert by_plain(wire, *account).startswith(b"OK")


@pytest.mark.parametrize("line, answer", [
    (b"LOGIN", b"BAD "),
    (b"LOGIN anna", b"BAD "),
    (b"LOGIN anna Geheim47 x", b"BAD "),
    (b'LOGIN "" Geheim47', b"BAD "),
    (b"LOGIN {+} x", b"BAD "),
    (b"LOGIN {} x", b"BAD "),
    (b"LOGIN {4097} x", b"BAD "),
    (b"LOGIN {99999999999999999999}", b"BAD "),
    (b"AUTHENTICATE PLAIN ====", b"BAD "),
    (b"AUTHENTICATE PLAIN R2VoZWltNDc=", b"BAD "),
    (b"AUTHENTICATE PLAIN AGFubmEAR2VoZWltNDcAeA==", b"BAD "),
    (b"AUTHENTICATE PLAIN AABHZWhlaW00Nw==", b"BAD "),
    (b"AUTHENTICATE XYZZY", b"NO "),
    (b"AUTHENTICATE EXTERNAL =", b"NO "),
    (b"AUTHENTICATE", b"BAD "),
])
def test_malformed_logins(guard, backend, line, answer):
    """None of them reaches the backend, and the session goes on."""
    recording = backend()
    front = guard(recording.address)
    with front.secure() as wire:
        status = wire.command(line).status
        assert status.startswith(answer)
        assert wire.command(b"NOOP").status.startswith(b"OK ")
    assert not [peer for peer in recording.peers if peer.login]


def test_cancelled_authenticate(front, account):
    with front.secure() as wire:
        wire.challenged(b"a AUTHENTICATE PLAIN\r\n")
        wire.send(b"*\r\n")
        assert wire.reply(b"a").status.startswith(b"BAD ")
        assert by_quoted(wire, *account).startswith(b"OK")


def test_pipelined_behind_login(front, account):
    """Commands behind LOGIN are executed by the backend, in order."""
    user, secret = (text.encode() for text in account)
    with front.secure() as wire:
        wire.send(b"a LOGIN " + user + b" " + secret + b"\r\nb SELECT INBOX\r\nc NOOP\r\nd LOGOUT\r\n")
        for tag in (b"a", b"b", b"c", b"d"):
            assert wire.reply(tag).status.startswith(b"OK")
        wire.rest()


def test_authorization_identity(front, account):
    """Dovecot has it in PLAIN; being oneself is no authorization identity at all."""
    user, secret = (text.encode() for text in account)
    with front.secure() as wire:
        response = base64.b64encode(user + b"\0" + user + b"\0" + secret)
        assert wire.command(b"AUTHENTICATE PLAIN " + response).status.startswith(b"OK")
