"""Before TLS: what a starttls listener answers, and that no password gets anywhere."""

import base64

import pytest

from secrets_in_logs import MARKER

SECRET = MARKER.encode()
PLAIN = base64.b64encode(b"\0anna\0" + SECRET)
REFUSED = b"NO [PRIVACYREQUIRED] Log in only over TLS: use STARTTLS or port 993."

# What a client sends in one go, and the user that it names together with a password (or None).
LOGINS = {
    "atoms": (b"LOGIN anna " + SECRET + b"\r\n", "anna"),
    "lower case": (b"login anna " + SECRET + b"\r\n", "anna"),
    "quoted": (b'LOGIN "anna" "' + SECRET + b' \\"x\\" \\\\"\r\n', "anna"),
    "bare LF": (b"LOGIN anna " + SECRET + b"\n", "anna"),
    "literal user": (b"LOGIN {4}\r\n", None),
    "literal password": (b"LOGIN anna {8}\r\n", None),  # only announced: no password was sent
    "huge literal": (b"LOGIN anna {4294967296}\r\n", None),
    "literal+ user": (b"LOGIN {4+}\r\nanna " + SECRET + b"\r\n", None),
    "literal+ password": (b"LOGIN anna {8+}\r\n" + SECRET + b"\r\n", None),
    "two literal+": (b"LOGIN {4+}\r\nanna {8+}\r\n" + SECRET + b"\r\n", None),
    "literal+ with line ends": (b"LOGIN anna {14+}\r\nx LOGOUT\r\n\r\n\r\n\r\n", None),
    "no arguments": (b"LOGIN\r\n", None),
    "one argument": (b"LOGIN anna\r\n", None),
    "three arguments": (b"LOGIN anna " + SECRET + b" x\r\n", None),
    "open quote": (b'LOGIN anna "' + SECRET + b"\r\n", None),
    "AUTHENTICATE PLAIN": (b"AUTHENTICATE PLAIN\r\n", None),
    "AUTHENTICATE PLAIN with response": (b"AUTHENTICATE PLAIN " + PLAIN + b"\r\n", "anna"),
    "authenticate plain": (b"authenticate plain " + PLAIN + b"\r\n", "anna"),
    "AUTHENTICATE PLAIN with wrong base64": (b"AUTHENTICATE PLAIN " + PLAIN + b"!\r\n", None),
    "AUTHENTICATE PLAIN with empty response": (b"AUTHENTICATE PLAIN =\r\n", None),
    "AUTHENTICATE LOGIN": (b"AUTHENTICATE LOGIN\r\n", None),
    "AUTHENTICATE LOGIN with response": (
        b"AUTHENTICATE LOGIN " + base64.b64encode(b"anna") + b"\r\n", None),
    "AUTHENTICATE CRAM-MD5": (b"AUTHENTICATE CRAM-MD5\r\n", None),
    "AUTHENTICATE XOAUTH2": (
        b"AUTHENTICATE XOAUTH2 " + base64.b64encode(b"user=anna\1auth=Bearer " + SECRET + b"\1\1")
        + b"\r\n", None),
    "AUTHENTICATE with literal": (b"AUTHENTICATE {5+}\r\nPLAIN " + PLAIN + b"\r\n", None),
    "AUTHENTICATE without mechanism": (b"AUTHENTICATE\r\n", None),
}

# Each ends with tag "z", whose answer shows that all before it has been dealt with.
PIPELINED = {
    "two logins": (b"a LOGIN anna " + SECRET + b"\r\nz LOGIN bert " + SECRET + b"\r\n",
                   [b"a " + REFUSED, b"z " + REFUSED]),
    "login, noop": (b"a LOGIN anna " + SECRET + b"\r\nz NOOP\r\n", [b"a " + REFUSED, b"z OK "]),
    "noop, login": (b"a NOOP\r\nz AUTHENTICATE PLAIN " + PLAIN + b"\r\n",
                    [b"a OK ", b"z " + REFUSED]),
    "login, starttls": (b"a LOGIN anna " + SECRET + b"\r\nz STARTTLS\r\n",
                        [b"a " + REFUSED, b"z OK Begin TLS negotiation now."]),
    "literal+ login, noop": (b"a LOGIN {4+}\r\nanna {8+}\r\n" + SECRET + b"\r\nz NOOP\r\n",
                             [b"a " + REFUSED, b"z OK "]),
}


@pytest.fixture
def recorder(backend):
    """A backend that must not be asked for anything."""
    recording = backend()
    yield recording
    assert not recording.peers, f"the backend got {[bytes(p.received) for p in recording.peers]}"


@pytest.fixture
def front(guard, recorder):
    return guard(recorder.address)


def test_greeting(front):
    with front.connect() as wire:
        assert wire.line() == b"* OK [CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED] imapguard ready."


def test_harmless_commands(front):
    with front.plain() as wire:
        reply = wire.command(b"CAPABILITY")
        assert reply.untagged == [b"CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED"]
        assert reply.status.startswith(b"OK ")
        assert wire.command(b"nOOp").status.startswith(b"OK ")
        reply = wire.command(b'ID ("name" "probe" "vendor" NIL)')
        assert reply.untagged == [b'ID ("name" "imapguard")']
        assert reply.status.startswith(b"OK ")
        assert wire.command(b"ID NIL").untagged == [b'ID ("name" "imapguard")']
        assert wire.command(b"STARTTLS now").status.startswith(b"BAD ")
        reply = wire.command(b"LOGOUT")
        assert reply.untagged[0].startswith(b"BYE ")
        assert reply.status.startswith(b"OK ")
        assert wire.rest() == b""


@pytest.mark.parametrize("command", [
    b"SELECT INBOX", b"LIST \"\" *", b"NOOP x", b"NOOPS", b"LOGINX anna x", b"ENABLE CONDSTORE",
    b"UID FETCH 1 BODY[]", b"IDLE", b"ID", b"ID (x)", b"", b"COMPRESS DEFLATE"])
def test_anything_else_is_bad(front, command):
    with front.plain() as wire:
        assert wire.command(command).status.startswith(b"BAD ")
        assert wire.command(b"NOOP").status.startswith(b"OK ")


@pytest.mark.parametrize("how", ["whole", "trickled"])
@pytest.mark.parametrize("form", LOGINS)
def test_login_is_refused(front, form, how):
    """Tagged NO and no invitation; the session goes on; nothing of it reaches the backend or the log."""
    command, user = LOGINS[form]
    with front.plain() as wire:
        (wire.send if how == "whole" else wire.trickle)(b"a " + command)
        assert wire.line() == b"a " + REFUSED
        assert wire.command(b"NOOP") .untagged == []
        assert wire.command(b"LOGOUT").status.startswith(b"OK ")
        assert wire.rest() == b""
    front.end_of(wire)
    if user:
        front.event("cleartext-password", rip="127.0.0.1", rport=wire.port, user=user)


@pytest.mark.parametrize("how", ["whole", "trickled"])
@pytest.mark.parametrize("form", PIPELINED)
def test_pipelined_login_is_refused(front, form, how):
    data, answers = PIPELINED[form]
    with front.plain() as wire:
        (wire.send if how == "whole" else wire.trickle)(data)
        for answer in answers:
            assert wire.line().startswith(answer)
        wire.close()
    front.end_of(wire)


def test_literal_that_nobody_waited_for(front):
    """A client that sends its synchronizing literals without being asked gives nothing away either."""
    with front.plain() as wire:
        wire.send(b"a LOGIN {4}\r\nanna {8}\r\n" + SECRET + b"\r\nz NOOP\r\n")
        assert wire.line() == b"a " + REFUSED
        assert not [line for line in wire.rest().splitlines() if not line.startswith(b"* BYE ")]
    front.end_of(wire)


def test_too_large_literal_ends_the_session(front):
    with front.plain() as wire:
        wire.send(b"a LOGIN anna {65537+}\r\n")
        assert b"+ " not in wire.rest()
    front.end_of(wire)


def test_large_literal_is_thrown_away(front):
    with front.plain() as wire:
        wire.send(b"a LOGIN anna {65000+}\r\n" + SECRET * 8125 + b"\r\n")
        assert wire.line() == b"a " + REFUSED
        assert wire.command(b"NOOP").status.startswith(b"OK ")
