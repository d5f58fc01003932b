"""How imapguard logs in at the backend, and what of the backend's answers the client sees."""

import base64
import time

import pytest

from fakebackend import LegacyServer, obey
from fault_rows import failed_login, marked_down
from secrets_in_logs import MARKER

SECRET = MARKER.encode()
ONLY_LOGIN = LegacyServer(capability=b"IMAP4rev1")


def logged_in(front, line):
    wire = front.secure()
    wire.send(b"a " + line + b"\r\n")
    return wire, wire.reply(b"a")


PLAIN = b"AUTHENTICATE PLAIN " + base64.b64encode(b"\0anna\0" + SECRET)


@pytest.mark.parametrize("command, method", [(b"LOGIN anna " + SECRET, "LOGIN"), (PLAIN, "PLAIN")])
def test_the_form_stays_what_it_is_where_the_backend_takes_it(guard, backend, command, method):
    recording = backend()
    _, reply = logged_in(guard(recording.address), command)
    assert reply.status == b"OK Logged in."
    login = recording.peer().login
    assert (login.method, login.user, login.password, login.authorization) == (method, b"anna", SECRET, b"")


def test_plain_where_login_is_disabled(guard, backend):
    recording = backend(LegacyServer(capability=b"IMAP4rev1 LOGINDISABLED AUTH=PLAIN"))
    assert logged_in(guard(recording.address), b"LOGIN anna " + SECRET)[1].status.startswith(b"OK")
    assert recording.peer().login.method == "PLAIN"


def exchange(peer):
    """What Exchange 2010 says, by Microsoft's published transcripts: a shared mailbox is known to LOGIN alone."""
    peer.send(b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n")
    while True:
        tag, _, rest = peer.line().partition(b" ")
        if rest.upper() == b"CAPABILITY":
            peer.send(b"* CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=NTLM AUTH=GSSAPI UIDPLUS CHILDREN IDLE NAMESPACE LITERAL+\r\n"
                      + tag + b" OK CAPABILITY completed.\r\n")
        elif rest.upper().startswith(b"LOGIN "):
            if rest != rb'LOGIN "corp.example\\anna\\office" "%s"' % SECRET:
                peer.send(tag + b" NO LOGIN failed.\r\n")
                continue
            peer.send(tag + b" OK LOGIN completed.\r\n")
            return obey(peer)
        elif rest.upper() == b"AUTHENTICATE PLAIN":
            peer.send(b"+\r\n")
            peer.line()
            peer.send(tag + b" NO AUTHENTICATE failed.\r\n")
        else:
            peer.send(tag + b" BAD Command Error. 12\r\n")


def test_a_shared_mailbox_of_exchange(guard, backend):
    front = guard(backend(exchange).address)
    wire, reply = logged_in(front, rb'LOGIN "corp.example\\anna\\office" ' + SECRET)
    assert reply.status == b"OK LOGIN completed."
    assert wire.command(b"NOOP").status.startswith(b"OK")
    _, reply = logged_in(front, rb'LOGIN "corp.example\\anna\\other" ' + SECRET)
    assert reply.status.startswith(b"NO [AUTHENTICATIONFAILED]")


@pytest.mark.parametrize("secret, literal", [
    (SECRET, None), (SECRET + b' "\\ (){}%*]', None), (SECRET + "ä".encode(), True),
    (SECRET + b"\r\nx LOGOUT", True), (SECRET + b"\xff\xfe", True)])
def test_login_where_it_has_not(guard, backend, secret, literal):
    """AUTHENTICATE PLAIN becomes LOGIN; what cannot be quoted goes as a literal."""
    recording = backend(ONLY_LOGIN)
    response = base64.b64encode(b"\0anna\0" + secret)
    _, reply = logged_in(guard(recording.address), b"AUTHENTICATE PLAIN " + response)
    assert reply.status == b"OK Logged in."
    login = recording.peer().login
    assert (login.method, login.user, login.password) == ("LOGIN", b"anna", secret)
    if literal is not None:
        assert login.literal == literal


def test_initial_response_only_where_it_is_known(guard, backend):
    """SASL-IR is used by its capability only."""
    recording = backend(LegacyServer(), LegacyServer(capability=b"IMAP4rev1 SASL-IR AUTH=PLAIN"))
    front = guard(recording.address)
    logged_in(front, PLAIN)
    logged_in(front, PLAIN)
    assert not recording.peer(0).login.initial_response
    assert recording.peer(1).login.initial_response


@pytest.mark.parametrize("greeting", [
    b"* OK ready\r\n", b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n", b"* ok\r\n",
    b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN] ready\r\n"])
def test_greetings(guard, backend, greeting):
    if b"LOGINDISABLED" in greeting:
        server = LegacyServer(greeting=greeting, capability=b"IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN")
    else:
        server = LegacyServer(greeting=greeting)
    recording = backend(server)
    assert logged_in(guard(recording.address), b"LOGIN anna " + SECRET)[1].status.startswith(b"OK")


@pytest.mark.parametrize("path", ["legacy.sock", "with space.sock"])
def test_unix_socket(guard, backend, place, path):
    recording = backend(path=place / path)
    wire, reply = logged_in(guard(recording.address), b"LOGIN anna " + SECRET)
    assert reply.status.startswith(b"OK")
    assert wire.command(b"SELECT INBOX").status == b"OK did SELECT INBOX"


def test_authorization_identity(guard, backend):
    """It passes as AUTHENTICATE PLAIN, is refused where there is none, and is never dropped."""
    recording = backend(LegacyServer(), ONLY_LOGIN)
    front = guard(recording.address)
    line = b"AUTHENTICATE PLAIN " + base64.b64encode(b"boss\0anna\0" + SECRET)
    assert logged_in(front, line)[1].status.startswith(b"OK")
    login = recording.peer(0).login
    assert (login.authorization, login.user, login.password) == (b"boss", b"anna", SECRET)
    assert logged_in(front, line)[1].status.startswith(b"NO [AUTHORIZATIONFAILED]")
    assert not recording.peer(1).login
    failed_login(front, "no-authorize")
    marked_down(front, "no-authorize")


def test_capability_code_of_after_login(guard, backend):
    recording = backend(LegacyServer(
        answer=b"OK [CAPABILITY IMAP4rev1 STARTTLS IDLE LOGINDISABLED UIDPLUS] Welcome, anna."))
    reply = logged_in(guard(recording.address), b"LOGIN anna " + SECRET)[1]
    assert reply.status == b"OK [CAPABILITY IMAP4rev1 IDLE UIDPLUS] Welcome, anna."


def test_untagged_capability_of_after_login(guard, backend):
    recording = backend(LegacyServer(
        untagged=b"* CAPABILITY IMAP4rev1 LOGINDISABLED MOVE STARTTLS\r\n", answer=b"OK Welcome."))
    reply = logged_in(guard(recording.address), b"LOGIN anna " + SECRET)[1]
    assert reply.untagged == [b"CAPABILITY IMAP4rev1 MOVE"]
    assert reply.status == b"OK Welcome."


@pytest.mark.parametrize("answer", [
    b"NO Wrong.", b"NO [AUTHENTICATIONFAILED] Authentication failed."])
def test_refusal(guard, backend, answer):
    recording = backend(LegacyServer(answer=answer), LegacyServer())
    front = guard(recording.address)
    wire, reply = logged_in(front, b"LOGIN anna another")
    assert reply.status.startswith(b"NO [AUTHENTICATIONFAILED]")
    front.event("login-failed", rport=wire.port, user="anna", rip="127.0.0.1")
    assert wire.command(b"LOGIN anna " + SECRET).status.startswith(b"OK")


@pytest.mark.parametrize("code, passes", [(b"EXPIRED", True), (b"CONTACTADMIN", True), (b"AUTHORIZATIONFAILED", False),
                                          (b"ALERT", False)])
def test_no_refusal_tells_more_than_helps_a_user(guard, backend, code, passes):
    words = b"NO [" + code + b"] There is no anna."
    recording = backend(LegacyServer(answer=words))
    reply = logged_in(guard(recording.address), b"LOGIN anna " + SECRET)[1]
    assert reply.status.startswith(b"NO [" + (code if passes else b"AUTHENTICATIONFAILED") + b"]") and b"anna" not in reply.status
    front = guard(recording.address, backend_settings={"pass_refusal_text": True})
    assert logged_in(front, b"LOGIN anna " + SECRET)[1].status == words


def test_a_wrong_password_and_a_denied_user_hear_the_same_at_the_same_time(guard, backend):
    """Although the backend takes its time for one of them, and does not hear of the other."""
    def thinks(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        tag = peer.line().partition(b" ")[0]
        time.sleep(1.5)
        peer.send(tag + b" NO anna exists\r\n")
        peer.wait_rest()

    front = guard(backend(thinks).address, access=[{"name": "no", "action": "deny", "users": ["root"]}],
                  limits={"login_delay": "2s"})
    heard = {}
    for user in (b"anna", b"root"):
        with front.secure() as wire:
            begin = time.monotonic()
            heard[user] = wire.command(b"LOGIN " + user + b" " + SECRET).status
            assert 2 <= time.monotonic() - begin < 3.4, user
    assert heard[b"anna"] == heard[b"root"] == b"NO [AUTHENTICATIONFAILED] Authentication failed."


def test_pipelined_commands_arrive_byte_for_byte(guard, backend):
    """Behind the login, and only there; a syntax that imapguard would not take included."""
    behind = b'b SELECT "INBOX"\r\nc APPEND x {3+}\r\n\0\xff\n\r\nd  odd\tline\n\r\n'

    def after(peer):
        assert peer.take(len(behind)) == behind
        peer.send(b"e OK all there\r\n")
        peer.wait_rest()

    recording = backend(LegacyServer(after=after))
    front = guard(recording.address)
    for line in (b"a LOGIN anna " + SECRET,
                 b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0anna\0" + SECRET)):
        with front.secure() as wire:
            wire.send(line + b"\r\n" + behind)
            assert wire.reply(b"a").status == b"OK Logged in."
            assert wire.line() == b"e OK all there"


def test_pipelined_behind_a_failed_login_is_answered_here(guard, backend):
    recording = backend(LegacyServer(answer=b"NO Wrong."))
    front = guard(recording.address)
    with front.secure() as wire:
        wire.send(b"a LOGIN anna " + SECRET + b"\r\nb NOOP\r\nc SELECT INBOX\r\n")
        assert wire.reply(b"a").status.startswith(b"NO ")
        assert wire.reply(b"b").status.startswith(b"OK ")
        assert wire.reply(b"c").status.startswith(b"BAD ")
    assert b"SELECT" not in recording.peer().received


def test_what_the_backend_says_behind_its_ok(guard, backend):
    """Bytes in the same segment as the tagged OK are the beginning of the relay."""
    recording = backend(LegacyServer(answer=b"OK Logged in.\r\n* 5 EXISTS\r\n* 1 RECENT"))
    wire, reply = logged_in(guard(recording.address), b"LOGIN anna " + SECRET)
    assert reply.status == b"OK Logged in."
    assert (wire.line(), wire.line()) == (b"* 5 EXISTS", b"* 1 RECENT")


def test_backend_is_not_asked_before_a_login(guard, backend):
    recording = backend()
    front = guard(recording.address)
    with front.secure() as wire:
        wire.command(b"CAPABILITY")
        wire.command(b'ID ("name" "x")')
        wire.command(b"LOGOUT")
    assert not recording.peers
