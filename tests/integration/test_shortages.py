"""Shortages, failing calls and hanging processes: they pass, and nobody else has to suffer for them.

tests/faults/faults.c lets single calls of a running imapguard fail. The first test goes through the states of a
session; what a call that fails there ends in, and which calls a state does not make, is shown at the end of the run.
"""

import base64
import contextlib
import errno
import os
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field

import pytest

import process
import tables
from fakebackend import LegacyServer, closes, obey
from faults import BLOCK, EVER, LOOP, NEXT_CHILD, SHORT, STALL, FaultyGuard, build, busy_seconds, spins
from secrets_in_logs import password
from waiting import SANITIZED, free_port, listening, wait_for
from wire import Wire, trusting

pytestmark = pytest.mark.skipif(SANITIZED, reason="AddressSanitizer wants no other library in front of it")

WITNESS, HERE, NEWCOMER, CONTROL = "127.0.0.1", "127.0.4.1", "127.0.5.1", "127.0.6.1"
BALANCER, HELD = "127.0.9.1", "127.0.3.1"
PATIENCE = 3
HANG_TIMEOUT = 2


@pytest.fixture(scope="session")
def library(vault):
    return build(vault)


@pytest.fixture
def faulty(library, binary, place, certificate, logs):
    """Starts imapguards that run under the library: faulty(backend address, settings...)."""
    started = []

    def start(backend, **settings):
        this = FaultyGuard(library, binary, place, backend, [certificate], **settings)
        started.append(this)
        logs.append(this.output)
        return this.start()

    yield start
    try:
        for this in started:
            this.check()
    finally:
        for this in started:
            this.destroy()


# --- each call in each state --------------------------------------------------------------------------------

ERRORS = {
    "malloc": errno.ENOMEM, "read": errno.ENOMEM, "recv": errno.ENOMEM, "recvfrom": errno.ENOMEM,
    "write": errno.ENOBUFS, "writev": errno.ENOBUFS, "send": errno.ENOBUFS, "sendto": errno.ENOBUFS,
    "sendmsg": errno.ENOBUFS, "accept4": errno.EMFILE, "accept": errno.EMFILE, "connect": errno.EADDRNOTAVAIL,
    "socket": errno.EMFILE, "epoll_ctl": errno.ENOMEM, "mmap": errno.ENOMEM, "fork": errno.EAGAIN,
    "pthread_create": errno.EAGAIN,
}
CLOCKS = {"clock +1h": 3600, "clock -1h": -3600}
# Which allocation of those that a state makes: the first ones, and ever fewer of the others.
ALLOCATIONS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377)


class Puppet:
    """A backend that does as its users' names say, and greets when it is told to."""

    def __init__(self):
        self.greets = True

    def __call__(self, peer):
        peer.go = threading.Event()
        if self.greets:
            self.greet(peer)
        while True:
            tag, _, rest = peer.line().partition(b" ")
            if rest.upper() == b"CAPABILITY":
                peer.send(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5\r\n" + tag + b" OK done\r\n")
            elif rest.upper().startswith(b"AUTHENTICATE CRAM-MD5"):
                peer.send(b"+ " + base64.b64encode(b"<1@legacy>") + b"\r\n")
                peer.line()
                peer.send(tag + b" OK welcome\r\n")
                return obey(peer)
            elif b"mute" in rest:
                peer.accept = lambda tag=tag: peer.send(tag + b" OK at last\r\n")
                return obey(peer)
            elif b"wrong" in rest:
                peer.send(tag + b" NO no\r\n")
            elif rest.upper().startswith(b"LOGIN"):
                peer.send(tag + b" OK welcome\r\n")
                return self.serve(peer)
            else:
                peer.send(tag + b" OK done\r\n")

    @staticmethod
    def greet(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=CRAM-MD5] legacy ready.\r\n")

    @staticmethod
    def serve(peer):
        """As obey(), and one that is left by its client has a last word when it is told to."""
        try:
            obey(peer)
        except EOFError:
            peer.go.wait(PATIENCE)
            peer.send(b"* 1 EXISTS\r\n")


@dataclass
class Held:
    """A session in some state: what happens to it next, and how to see that it works."""
    wire: Wire
    pokes: list
    works: callable
    allowed: tuple = ()  # reasons that are true here
    port: int = 0        # of the client, where a PROXY header has told another


# Reasons that say what did not happen. A client that is not there any more was not seen to close or to reset.
LIES = {"none", "client-closed", "backend-closed", "logout", "login-timeout", "handshake-timeout", "idle-timeout",
        "drain-timeout", "login-attempts", "shutdown", "internal-error", "banned", "line-too-long", "bad-tag", "nul",
        "too-many-bad-commands", "foreign-protocol", "unexpected-literal", "starttls-injection", "denied", "sessions",
        "connection-rate"}


def answered(wire, tag, status=b"OK"):
    assert wire.reply(tag).status.startswith(status)


def noop(wire):
    assert wire.command(b"NOOP").status.startswith(b"OK")


class Rig:
    """An imapguard with one worker, a backend, and clients that see whether the rest of it works."""

    def __init__(self, faulty, backend, room):
        self.puppet = Puppet()
        self.backend = backend(self.puppet)
        self.room = room
        rates = {"connection_rate": "1000000/1s", "login_failures": "1000000/1s"}
        self.front = faulty(
            self.backend.address, backend_settings={"max_sessions": room}, listeners={"proxy_protocol": [BALANCER]},
            access=[{"name": "tarpit", "action": "tarpit", "networks": [HELD]}],
            capabilities=["IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "AUTH=CRAM-MD5"],
            limits={"sessions": room, "login_delay": "300ms", "login_attempts": 1000, **rates}, log={"level": "info"})
        self.faults = self.front.faults
        self.pid = self.front.worker()
        self.witness = self.front.plain(source=WITNESS)

    def connect(self, implicit=False, source=HERE, **options):
        port = self.front.implicit_port if implicit else self.front.starttls_port
        return Wire(("127.0.0.1", port), source=source, patience=PATIENCE, **options)

    def plain(self):
        wire = self.connect()
        assert wire.line().startswith(b"* OK ")
        return wire

    def secure(self, source=HERE):
        wire = self.connect(implicit=True, source=source).handshake()
        assert wire.line().startswith(b"* OK ")
        return wire

    def session(self, source=HERE):
        wire = self.secure(source)
        status = wire.command(b"LOGIN anna Geheim47").status
        assert status.startswith(b"OK"), status
        return wire

    def settle(self):
        """Every connection that was made before has been accepted, and every octet read."""
        for _ in range(2):
            noop(self.witness)

    def peer(self, since):
        """The backend's end of the connection that was made after so many."""
        return self.backend.peer(since)

    def works_for_others(self):
        with self.session(CONTROL) as wire:
            noop(wire)

    # --- sessions in each state ---

    def proxy_header(self):
        wire = self.connect(source=BALANCER)
        self.settle()

        def works():
            assert wire.line().startswith(b"* OK ")
            noop(wire)
        return Held(wire, [lambda: wire.send(b"PROXY TCP4 198.51.100.7 192.0.2.1 40000 143\r\n")], works)

    def tarpit(self):
        wire = self.connect(source=HELD)
        self.settle()

        def works():
            wire.socket.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                raise AssertionError(wire.socket.recv(1) or "connection ended")
        return Held(wire, [lambda: wire.send(b"a NOOP\r\n")], works, allowed=("tarpit",))

    def plain_state(self):
        wire = self.plain()

        def works():
            answered(wire, b"a")
            noop(wire)
        return Held(wire, [lambda: wire.send(b"a NOOP\r\n")], works)

    def starttls(self):
        """The state lasts until the socket has taken the OK: at its first try it takes nothing."""
        wire = self.plain()
        if not self.armed == "send":
            self.faults.arm("send", errno.EAGAIN, pid=self.pid)

        def works():
            answered(wire, b"a")
            wire.handshake()
            noop(wire)
        return Held(wire, [lambda: wire.send(b"a STARTTLS\r\n")], works)

    def handshake(self):
        wire = self.connect(implicit=True)
        self.settle()
        context = trusting()
        context.set_alpn_protocols(["imap"])

        def works():
            wire.finish_handshake()
            assert wire.line().startswith(b"* OK ")
            noop(wire)
        return Held(wire, [lambda: wire.socket.sendall(wire.hello(context))], works, allowed=("tls-failed",))

    def secure_state(self):
        wire = self.secure()

        def works():
            answered(wire, b"a")
            status = wire.reply(b"b").status
            assert status.startswith((b"OK", b"NO [UNAVAILABLE]")), status
            if status.startswith(b"NO"):
                assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")
            noop(wire)
        return Held(wire, [lambda: wire.send(b"a NOOP\r\n"), lambda: wire.send(b"b LOGIN anna Geheim47\r\n")], works)

    def connecting(self):
        """The backend has not greeted."""
        wire, before = self.secure(), len(self.backend.peers)
        self.puppet.greets = False
        wire.send(b"a LOGIN anna Geheim47\r\n")
        peer = self.peer(before)
        self.puppet.greets = True
        self.settle()
        return Held(wire, [lambda: self.puppet.greet(peer), lambda: wire.send(b"b NOOP\r\n")],
                    lambda: self.login_works(wire))

    @staticmethod
    def login_works(wire):
        """The login `a` and the NOOP `b` that was sent behind it have their answers."""
        status = wire.reply(b"a").status
        assert status.startswith((b"OK", b"NO [UNAVAILABLE]")), status
        answered(wire, b"b")
        if status.startswith(b"NO"):
            assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")
        noop(wire)

    def backend_login(self):
        wire, before = self.secure(), len(self.backend.peers)
        wire.send(b"a LOGIN mute Geheim47\r\n")
        peer = self.peer(before)
        wait_for(lambda: hasattr(peer, "accept"), "the login at the backend")
        self.settle()
        return Held(wire, [lambda: peer.accept(), lambda: wire.send(b"b NOOP\r\n")], lambda: self.login_works(wire))

    def challenge(self):
        wire = self.secure()
        wire.challenged(b"a AUTHENTICATE CRAM-MD5\r\n")
        response = base64.b64encode(b"anna 0123456789abcdef0123456789abcdef")

        def works():
            status = wire.reply(b"a").status
            assert status.startswith((b"OK", b"NO [UNAVAILABLE]")), status
            noop(wire)
        return Held(wire, [lambda: wire.send(response + b"\r\n")], works)

    def penalty(self):
        """The client talks, and its time is over."""
        wire, before = self.secure(), len(self.backend.peers)
        wire.send(b"a LOGIN wrong Geheim47\r\n")
        wait_for(lambda: self.peer(before).ended.is_set(), "the refusal")

        def works():
            answered(wire, b"a", b"NO")
            answered(wire, b"b")
            noop(wire)
        return Held(wire, [lambda: wire.send(b"b NOOP\r\n"), lambda: time.sleep(0.3)], works)

    def relay(self):
        wire, before = self.secure(), len(self.backend.peers)
        assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")
        peer = self.peer(before)

        def works():
            """No octet is missing on either way."""
            expected = [b"a OK did SELECT one", b"* 2 EXISTS", b"b OK did SELECT two", b"c OK did SELECT three"]
            wire.send(b"b SELECT two\r\nc SELECT three\r\n")
            lines = [wire.line() for _ in expected]
            assert sorted(lines) == sorted(expected), f"octets were lost: {lines}"
        return Held(wire, [lambda: wire.send(b"a SELECT one\r\n"), lambda: peer.send(b"* 2 EXISTS\r\n")], works)

    def drain(self):
        """The client has closed its side, and the backend has a last word."""
        wire, before = self.secure(), len(self.backend.peers)
        assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")
        peer = self.peer(before)
        wire.close_notify()
        wire.fin()
        self.settle()

        def works():
            assert wire.rest() == b"* 1 EXISTS\r\n", "connection ended"
        return Held(wire, [peer.go.set], works)

    def orphan(self):
        """One of those whose backend has ended more sessions than usual within a second."""
        while True:
            if not getattr(self, "orphans", None):
                self.make_orphans()
            wire = self.orphans.pop()
            wire.socket.settimeout(0)
            with contextlib.suppress(BlockingIOError, ssl.SSLError, OSError):
                if wire.socket.recv(1, socket.MSG_PEEK):
                    continue
            wire.socket.settimeout(PATIENCE)
            break

        def works():
            assert wire.rest() == b""
        return Held(wire, [lambda: wire.send(b"a NOOP\r\n")], works, allowed=("backend-closed",))

    def make_orphans(self):
        before = len(self.backend.peers)
        wires = [self.session() for _ in range(self.room - 4)]
        time.sleep(1.1)
        for peer in self.backend.peers[before:]:
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        time.sleep(0.2)
        self.orphans = wires

    def linger(self):
        wire = self.plain()
        assert wire.command(b"LOGOUT").status.startswith(b"OK")

        def works():
            assert wire.rest() == b""
        return Held(wire, [lambda: wire.send(b"a NOOP\r\n"), wire.fin], works, allowed=("logout",))

    STATES = {
        "PROXY_HEADER": proxy_header, "TARPIT": tarpit, "PLAIN": plain_state, "STARTTLS": starttls,
        "HANDSHAKE": handshake, "SECURE": secure_state, "CONNECT": connecting, "BACKEND_LOGIN": backend_login,
        "CHALLENGE": challenge, "PENALTY": penalty, "RELAY": relay, "DRAIN": drain, "ORPHAN": orphan, "LINGER": linger,
    }

    # --- one fault ---

    def arm(self, call, after):
        if call in CLOCKS:
            self.faults.shift(realtime=CLOCKS[call])
            time.sleep(0.6)  # libev looks at the time of day twice a second
            self.settle()
        else:
            self.faults.arm(call, ERRORS[call], pid=self.pid, after=after)

    def happened(self, call):
        return call not in CLOCKS and self.faults.fired(call) > 0

    def newcomer(self):
        """One more client; it is let in or sent away, and does not wait for ever."""
        with self.connect(source=NEWCOMER) as wire:
            wire.line_or_end()

    def poke(self, held, call):
        """Do to a session what may happen to it, until the call has failed. The name of what made it fail, or None."""
        done = None
        for poke in held.pokes:
            with contextlib.suppress(ConnectionError):  # of one that the fault has ended already
                poke()
            if not done and call not in CLOCKS:
                with contextlib.suppress(AssertionError):
                    wait_for(lambda: self.happened(call), "", 0.03)
                    done = "session"
        if not done:
            self.newcomer()
            done = "newcomer" if self.happened(call) else None
        return done

    def outcome(self, held):
        """What has become of a session: "works", or the reason for its end. Anything else is a failure."""
        try:
            held.works()
            return "works"
        except TimeoutError:
            raise AssertionError("the session hangs") from None
        except (AssertionError, ssl.SSLError, OSError) as error:
            text = str(error)
            if isinstance(error, AssertionError) and not held.wire.end and "connection ended" not in text:
                raise
            assert "BAD_RECORD_MAC" not in text, f"octets were lost within TLS: {text}"
        held.wire.close()  # which ends LINGER
        reason = self.front.event("disconnect", rport=held.port or held.wire.port)["reason"]
        assert reason not in LIES - set(held.allowed), f"reason={reason} is not true"
        return reason

    def strike(self, state, call, after=0):
        """One fault in one session. True if it happened, or is one of the clock's."""
        self.armed = call
        held = self.STATES[state](self)
        try:
            self.arm(call, after)
            by = self.poke(held, call)
            self.faults.disarm()
            text = ""
            if by or call in CLOCKS:
                text = self.outcome(held) if by != "newcomer" else f"newcomer, {self.outcome(held)}"
                assert not spins(self.pid), "the worker spins"
                self.works_for_others()
            return text
        finally:
            self.faults.disarm()
            held.wire.close()

    def recover(self):
        """After a failure that may have taken the worker."""
        pid = self.front.worker()
        if pid != self.pid or not process.alive(self.pid):
            wait_for(lambda: not process.alive(self.pid), "the end of the worker")
            self.pid = wait_for(lambda: [pid for pid in self.front.workers() if pid != self.pid], "a successor")[0]
            self.orphans = []
            self.witness = self.front.plain(source=WITNESS)
            return False
        return True

    def room_is_back(self):
        """As many as the limits say have room, and no more."""
        def sessions():
            held = []
            try:
                for _ in range(self.room):
                    held.append(self.session())
            except AssertionError:
                for wire in held:
                    wire.close()
                return None
            return held

        held = wait_for(sessions, f"room for {self.room} sessions")
        with self.connect() as wire:
            assert wire.line().startswith(b"* BYE [LIMIT]"), "more sessions than the limit of a network"
        with self.secure(CONTROL) as wire:
            status = wire.command(b"LOGIN anna Geheim47").status
            assert status.startswith(b"NO [UNAVAILABLE]"), "more sessions than the limit of the backend"
        ports = [wire.port for wire in held] + [self.witness.port]
        for wire in [*held, self.witness]:
            wire.close()
        wait_for(lambda: {str(port) for port in ports} <= {event["rport"] for event in self.front.events("disconnect")},
                 "the end of all sessions")
        time.sleep(0.05)


@pytest.mark.parametrize("state", Rig.STATES)
def test_a_call_fails_in(faulty, backend, state):
    """The worker lives and is idle, others are served, and the session goes on or has ended for a true reason."""
    rig = Rig(faulty, backend, 40 if state == "ORPHAN" else 8)
    failures, silent = [], []
    for call in [*ERRORS, *CLOCKS]:
        for after in ALLOCATIONS if call == "malloc" else (0,):
            name = f"{call} {after + 1}" if call == "malloc" else call
            try:
                text = rig.strike(state, call, after)
            except Exception as error:
                failures.append(f"{name}: {type(error).__name__} {error}")
                text = "FAILS"
            if not rig.recover():
                failures.append(f"{name}: the worker died: {rig.front.events('worker-died')[-1]}")
                rig.front.killed_workers += 1
            if not text:
                silent += [name] if after == 0 else []
                break
            tables.record("A call fails", state, name, text)
    tables.record("Calls that a state does not make", state, "calls", " ".join(silent))
    try:
        rig.room_is_back()
    except (AssertionError, OSError) as error:
        failures.append(f"at the end: {error}")
    rig.front.stop()
    if rig.front.event("stopping")["sessions"] != "0":
        failures.append("sessions are counted that are not there")
    assert not failures, "\n".join(failures)
