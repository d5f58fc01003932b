"""What is logged, where, and that nobody outside can write a line of their own."""

import base64
import os
import re
import signal

import pytest

from guard import LINE, events_in
from waiting import SANITIZED, wait_for


def test_one_session_one_id(guard, backend):
    """Every line of a session bears its id and the addresses of both of its ends."""
    front = guard(backend().address)
    with front.plain() as wire:
        wire.command(b"LOGIN anna Geheim47")
        wire.starttls()
        wire.command(b"LOGIN anna Geheim47")
    ended = front.event("disconnect", rport=wire.port)
    same = [event for event in events_in(front.text()) if event.values.get("session") == ended["session"]]
    same, states = [event for event in same if event.name != "state"], [event for event in same if event.name == "state"]
    assert [event.name for event in same] == ["connect", "cleartext-password", "login", "disconnect"]
    login = same[2]
    assert (login["rip"], login["lip"], login["lport"]) == ("127.0.0.1", "127.0.0.1", str(front.starttls_port))
    assert (login["listener"], login["user"], login["method"]) == ("imap", "anna", "LOGIN")
    assert login["tls"].startswith("TLSv1.") and login["cipher"]
    way = [state["from"] for state in states] + [states[-1]["to"]]
    assert way[:7] == ["NEW", "CLEARTEXT", "STARTTLS", "HANDSHAKE", "NOT_AUTHENTICATED", "CONNECT", "BACKEND_LOGIN"], way
    assert way[-1] == "DEAD" and [state["to"] for state in states] == way[1:], "each state is left where it was entered"


def test_every_line_has_the_form(guard, backend):
    front = guard(backend().address)
    with front.session():
        pass
    front.stop()
    # LeakSanitizer complains in a child of the master's threads, which are not there.
    known = re.compile(r"==\d+==Running thread \d+ was not suspended") if SANITIZED else LINE
    strange = [line for line in front.text().splitlines() if not LINE.match(line) and not known.match(line)]
    assert not strange
    assert [event.name for event in events_in(front.text())][-1] == "stopped"


@pytest.mark.parametrize("user", [
    b"x\r\n2020-01-01T00:00:00.000Z imapguard[1]: login session=1 rip=192.0.2.1",
    b'x" rip=192.0.2.1 user="y', b"x\\", b"x\x1b[2Jy", b"x\xff\xfey", b"<x>", b"x y=z", "ä".encode()])
def test_user_names_are_escaped(guard, backend, user):
    """A name can forge neither a line nor a key, and is no obstacle to reading its line."""
    front = guard(backend().address, limits={"login_delay": "0s"})
    refused = any(octet < 0x20 for octet in user)  # with characters that nobody sees
    with front.secure() as wire:
        wire.send(b"a LOGIN {%d+}\r\n%b Geheim47\r\n" % (len(user), user))
        assert wire.reply(b"a").status.startswith(b"NO [AUTHENTICATIONFAILED]" if refused else b"OK")
    front.end_of(wire)
    name = "login-refused" if refused else "login"
    logins = front.events(name)
    assert len(logins) == 1
    assert logins[0]["rip"] == "127.0.0.1" and logins[0].values.get("backend") == (None if refused else "legacy")
    line = next(line for line in front.text().splitlines() if f" {name} " in line)
    assert re.search(r'rip=127\.0\.0\.1 .*user="(?:[^"\\<>\x00-\x1f]|\\.)*"(?: |$)', line), line


def test_no_name_is_so_long_that_the_reason_is_missing(guard, backend):
    """User, authorize and client of many lengths, all escaped: some fill the line to its last octet."""
    lengths = range(150, 256)
    front = guard(backend().address, limits={"login_delay": "0s", "login_attempts": 200, "login_failures": "100000/1m"}, access=[
        {"action": "deny", "name": "trial", "users": ["*"], "observe": True},
        {"action": "deny", "name": "nobody", "users": ["*"]}])
    with front.secure() as wire:
        assert wire.command(b'ID ("name" "%b")' % (b"<" * 256)).status.startswith(b"OK")
        for length in lengths:
            message = base64.b64encode(b"\0".join([b">" * length, b"'" * 256, b"Geheim47"]))
            assert wire.command(b"AUTHENTICATE PLAIN " + message).status.startswith(b"NO ")
    front.end_of(wire)
    refused, observed = front.events("login-refused"), front.events("observed")
    assert len(refused) == len(observed) == len(lengths)
    for event in refused:
        assert (event["reason"], event["rule"], event["method"]) == ("rule", "nobody", "PLAIN") and event["user"]
    assert {event["rule"] for event in observed} == {"trial"}
    assert any("authorize" in event.values for event in refused), "no line was nearly full"


def test_file_is_opened_again(guard, backend, place):
    """SIGUSR1 after a rotation: all processes go on in the new file."""
    log = place / "imapguard.txt"
    front = guard(backend().address, workers=2, log={"target": str(log)})
    with front.session() as before:
        pass
    front.end_of(before)
    old = place / "imapguard.txt.1"
    log.rename(old)
    os.kill(front.process.pid, signal.SIGUSR1)
    wait_for(log.exists, "the new file")

    def port_of_a_new_session():
        with front.session() as wire:
            pass
        front.end_of(wire)
        return f"rport={wire.port} "

    wait_for(lambda: port_of_a_new_session() in log.read_text(), "a session in the new file")
    settled = old.read_text()
    for _ in range(8):
        assert port_of_a_new_session() in log.read_text()
    assert old.read_text() == settled and f"rport={before.port} " in settled
    assert front.output.read_text() == ""


def test_info_is_quiet(guard, backend):
    """At the default level there is no line for a client that only connects."""
    front = guard(backend().address, log={"level": "info"})
    with front.plain():
        pass
    with front.session() as wire:
        pass
    front.end_of(wire)
    assert len(front.events("login")) == 1
    assert not front.events("connect")


def test_syslog_needs_no_daemon(guard, backend):
    """Where nobody takes the messages, service goes on."""
    front = guard(backend().address, log={"target": "syslog"})
    with front.session() as wire:
        assert wire.command(b"NOOP").status.startswith(b"OK")


HERE, THERE = "127.0.7.1", "127.0.8.1"


def test_a_client_that_logs_much_is_summed_up_and_others_are_not(guard, backend):
    """As many lines of each event as connections are allowed, over all workers; the count of the rest at the end."""
    front = guard(backend().address, workers=4, log={"level": "info"},
                  limits={"connection_rate": "20/10m", "private_addresses": "client"})
    lines = 0
    for _ in range(12):
        with front.connect(source=HERE) as wire:
            wire.line()
            while True:
                wire.send(b"a LOGIN anna Geheim47\r\n")
                if not wire.line_or_end().startswith(b"a NO [PRIVACYREQUIRED]"):
                    break
                lines += 1
    with front.plain(source=THERE) as wire:
        wire.command(b"LOGIN anna Geheim47")
        front.event("cleartext-password", rip=THERE)
    front.stop()
    assert lines == 12 * 5
    assert len(front.events("cleartext-password", rip=HERE)) == 20
    assert front.event("lines-suppressed", network=HERE, event="cleartext-password")["suppressed"] == str(lines - 20)
    assert len(front.events("disconnect", rip=HERE)) == 12
    assert len(front.events("lines-suppressed")) == 1


def test_denied_clients_are_summed_up_too(guard, backend):
    front = guard(backend().address, workers=4, log={"level": "info"}, limits={"connection_rate": "5/10m"},
                  access=[{"name": "here", "action": "deny", "networks": [HERE]}])
    for _ in range(30):
        with front.connect(source=HERE) as wire:
            assert not wire.line_or_end()
    front.stop()
    assert len(front.events("denied")) == 5
    assert front.event("lines-suppressed")["suppressed"] == "25"


def test_logins_before_tls_are_bad_commands(guard, backend):
    front = guard(backend().address)
    with front.plain() as wire:
        for _ in range(4):
            assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"NO [PRIVACYREQUIRED]")
        wire.send(b"b AUTHENTICATE PLAIN\r\n")
        assert wire.line().startswith(b"b NO [PRIVACYREQUIRED]")
        assert wire.line_or_end() == b"* BYE Too many bad commands."
    front.event("disconnect", reason="too-many-bad-commands")


def test_who_is_exempt_from_limits_is_so_in_the_log(guard, backend):
    front = guard(backend().address, limits={"connection_rate": "5/10m"},
                  access=[{"name": "here", "action": "allow", "networks": [HERE], "limits": False}])
    for _ in range(8):
        with front.session(source=HERE):
            pass
    wait_for(lambda: len(front.events("disconnect", rip=HERE)) == 8, "all lines")
