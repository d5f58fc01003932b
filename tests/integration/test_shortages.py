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
from dataclasses import dataclass
from pathlib import Path

import pytest

import process
import tables
from fakebackend import LegacyServer, obey
from faults import BLOCK, COUNT, EVER, LOOP, NEXT_CHILD, SHORT, STALL, FaultyGuard, build, spins
from guard import events_in, guards, libconfig
from waiting import SANITIZED, listening, wait_for
from wire import Wire, trusting

pytestmark = pytest.mark.skipif(SANITIZED, reason="AddressSanitizer wants no other library in front of it")

WITNESS, NEWCOMER, CONTROL = "127.0.0.1", "127.0.5.1", "127.0.6.1"
BALANCER, HELD = "127.0.9.1", "127.0.3.1"
PATIENCE = 2
HANG_TIMEOUT = 2


@pytest.fixture(scope="session")
def library(vault):
    return build(vault)


@pytest.fixture
def faulty(library, binary, place, certificate, logs):
    """Starts imapguards that run under the library: faulty(backend address, settings...)."""
    yield from guards(lambda backend, **settings: FaultyGuard(
        library, binary, place, backend, [certificate], **settings), logs)


# --- each call in each state --------------------------------------------------------------------------------

ERRORS = {
    "malloc": errno.ENOMEM, "read": errno.ENOMEM, "recv": errno.ENOMEM, "recvfrom": errno.ENOMEM,
    "write": errno.ENOBUFS, "writev": errno.ENOBUFS, "send": errno.ENOBUFS, "sendto": errno.ENOBUFS,
    "sendmsg": errno.ENOBUFS, "accept4": errno.ENOMEM, "accept": errno.ENOMEM, "connect": errno.EADDRNOTAVAIL,
    "socket": errno.EMFILE, "epoll_ctl": errno.ENOMEM, "mmap": errno.ENOMEM, "fork": errno.EAGAIN,
    "pthread_create": errno.EAGAIN,
}
CLOCKS = {"clock +1h": 3600, "clock -1h": -3600}
# How many calls still succeed. Of allocations the first ones fail, and ever fewer of the others.
AFTER = {"malloc": (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377), "recv": (0, 1, 2), "read": (0, 1), "send": (0, 1),
         "write": (0, 1)}
# What is no error: the call is made again.
AGAIN = {"recv again": ("recv", errno.EINTR), "read again": ("read", errno.EINTR), "send again": ("send", errno.EINTR),
         "write again": ("write", errno.EINTR)}


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
                peer.send(b"* CAPABILITY IMAP4rev1 AUTH=CRAM-MD5\r\n" + tag + b" OK done\r\n")
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
                return self.serve(peer) if b"patient" in rest else obey(peer)
            else:
                peer.send(tag + b" OK done\r\n")

    @staticmethod
    def greet(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] legacy ready.\r\n")

    @staticmethod
    def serve(peer):
        """As obey(), and when its client has left it has a last word, once it is told to."""
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


# Reasons that say what did not happen. A client that is not there any more was not seen to close or to reset.
LIES = {"none", "client-closed", "backend-closed", "logout", "login-timeout", "handshake-timeout", "idle-timeout",
        "drain-timeout", "login-attempts", "shutdown", "internal-error", "banned", "line-too-long", "bad-tag", "nul",
        "too-many-bad-commands", "foreign-protocol", "unexpected-literal", "starttls-injection", "denied", "sessions",
        "connection-rate"}


class Wrong(Exception):
    """What a fault must not lead to."""


def describe(error):
    text = str(error) if isinstance(error, Wrong) else f"{type(error).__name__} {error}"
    return text.partition("\n")[0]


def answered(wire, tag, expected=b"OK"):
    status = wire.reply(tag).status
    assert status.startswith(expected), status


def greeted(wire):
    line = wire.line()
    assert line.startswith(b"* OK "), line


def noop(wire):
    status = wire.command(b"NOOP").status
    assert status.startswith(b"OK"), status


def login(wire, user=b"anna"):
    status = wire.command(b"LOGIN " + user + b" Geheim47").status
    assert status.startswith(b"OK"), status


class Rig:
    """An imapguard with one worker, a backend, and clients that see whether the rest of it works."""

    def __init__(self, faulty, backend, room):
        self.puppet = Puppet()
        self.backend = backend(self.puppet)
        self.room = room  # of one network
        self.all_room = 5 * room
        self.strikes = 0
        self.orphans, self.all_orphans = [], []
        rates = {"connection_rate": "1000000/1s", "login_failures": "1000000/1s"}
        self.front = faulty(
            self.backend.address, backend_settings={"max_sessions": self.all_room}, listeners={"proxy_protocol": [BALANCER]},
            access=[{"name": "tarpit", "action": "tarpit", "networks": [HELD]}],
            capabilities=["IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "AUTH=CRAM-MD5"],
            limits={"sessions": room, "login_delay": "150ms", "login_attempts": 1000, **rates}, log={"level": "info"})
        self.faults = self.front.faults
        self.pid = self.front.worker()
        self.witness = self.front.plain(source=WITNESS)

    def here(self):
        """An address for each fault: what one leaves behind does not stand in the way of the next."""
        return f"127.0.4.{self.strikes}"

    def connect(self, implicit=False, source=None, **options):
        source = source or self.here()
        port = self.front.implicit_port if implicit else self.front.starttls_port
        return Wire(("127.0.0.1", port), source=source, patience=PATIENCE, **options)

    def plain(self, source=None):
        wire = self.connect(source=source)
        greeted(wire)
        return wire

    def secure(self, source=None):
        wire = self.connect(implicit=True, source=source).handshake()
        greeted(wire)
        return wire

    def session(self, source=None):
        wire = self.secure(source)
        login(wire)
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
        wire.sources.add("198.51.100.7")
        self.settle()

        def works():
            greeted(wire)
            noop(wire)
        return Held(wire, [lambda: wire.send(b"PROXY TCP4 198.51.100.7 192.0.2.1 %d 143\r\n" % wire.port)], works)

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
        """The state lasts until the socket has taken the OK: at first it takes nothing."""
        wire = self.plain()
        self.settle()
        if self.armed not in ("send", "send again"):
            self.faults.arm("send", errno.EAGAIN, pid=self.pid, times=2)

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
            greeted(wire)
            noop(wire)
        return Held(wire, [lambda: wire.socket.sendall(wire.hello(context))], works, allowed=("tls-failed",))

    def secure_state(self):
        wire = self.secure()

        def works():
            answered(wire, b"a")
            status = wire.reply(b"b").status
            assert status.startswith((b"OK", b"NO [UNAVAILABLE]")), status
            if status.startswith(b"NO"):
                login(wire)
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
            login(wire)
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
        return Held(wire, [lambda: wire.send(b"b NOOP\r\n"), lambda: time.sleep(0.16)], works)

    def relay(self):
        wire, before = self.secure(), len(self.backend.peers)
        login(wire)
        peer = self.peer(before)

        def works():
            """No octet is missing on either way."""
            expected = [b"a OK did SELECT one", b"* 2 EXISTS", b"b OK did SELECT two", b"c OK did SELECT three"]
            wire.send(b"b SELECT two\r\nc SELECT three\r\n")
            lines = [wire.line() for _ in expected]
            if sorted(lines) != sorted(expected):
                raise Wrong(f"octets were lost: {lines}")
        return Held(wire, [lambda: wire.send(b"a SELECT one\r\n"), lambda: peer.send(b"* 2 EXISTS\r\n")], works)

    def drain(self):
        """The client has closed its side, and the backend has a last word."""
        wire, before = self.secure(), len(self.backend.peers)
        login(wire, b"patient")
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
            if not self.orphans:
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
        for wire in self.all_orphans:
            wire.close()
        time.sleep(0.1)
        before = len(self.backend.peers)
        wires = [self.session(source) for source in self.sources("127.0.8")[:-2]]
        self.all_orphans = list(wires)
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
        if call in AGAIN:
            self.faults.arm(*AGAIN[call], pid=self.pid, after=after)
        elif call in CLOCKS:
            self.faults.shift(realtime=CLOCKS[call])
            time.sleep(0.55)  # libev looks at the time of day twice a second
            self.settle()
        else:
            self.faults.arm(call, ERRORS[call], pid=self.pid, after=after)

    def happened(self, call):
        return call not in CLOCKS and self.faults.fired(AGAIN.get(call, [call])[0]) > 0

    def newcomer(self):
        """One more client; it is let in or sent away, and does not wait for ever."""
        with self.connect(source=NEWCOMER) as wire:
            try:
                wire.line_or_end()
            except TimeoutError:
                raise Wrong("a newcomer hears nothing") from None

    def poke(self, held, call):
        """Do to a session what may happen to it, until the call has failed. The name of what made it fail, or None."""
        done = None
        for poke in held.pokes:
            with contextlib.suppress(OSError):  # of one that the fault has ended already
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
            raise Wrong("the session hangs") from None
        except (AssertionError, OSError) as error:
            self.ends(held.wire, error)
        held.wire.close()  # which ends LINGER
        reason = self.front.end_of(held.wire)
        if reason in LIES - set(held.allowed):
            raise Wrong(f"reason={reason} is not true")
        return reason

    @staticmethod
    def ends(wire, error):
        """After something else than expected, the connection ends; a session that has lost octets does not go on."""
        wire.end = wire.tls = None
        try:
            wire.rest()
        except TimeoutError:
            raise Wrong(f"the session goes on after {describe(error)}") from None

    def strike(self, state, call, after=0):
        """One fault in one session. True if it happened, or is one of the clock's."""
        self.armed = call
        self.strikes += 1
        held = self.STATES[state](self)
        try:
            self.arm(call, after)
            by = self.poke(held, call)
            self.faults.disarm()
            text = ""
            if by or call in CLOCKS:
                text = self.outcome(held) if by != "newcomer" else f"newcomer, {self.outcome(held)}"
                if call in AGAIN and "works" not in text and text not in held.allowed:
                    raise Wrong(f"the session has ended for what is no error: reason={text}")
                if spins(self.pid):
                    raise Wrong("the worker spins")
                self.works_for_others()
            return text
        finally:
            self.faults.disarm()
            held.wire.close()

    def survey(self, state):
        """The calls that the worker makes when that happens which shall happen in this state, and a client comes."""
        self.armed = None
        self.strikes += 1
        held = self.STATES[state](self)
        try:
            for call in ERRORS:
                if call != "send" or state != "STARTTLS":  # which has another fault there
                    self.faults.arm(call, COUNT, pid=self.pid, times=EVER)
            for poke in held.pokes:
                poke()
            time.sleep(0.05)
            self.newcomer()
            made = {call for call in ERRORS if self.faults.fired(call)}
            self.faults.disarm()
            if self.outcome(held) != "works" and not held.allowed:
                raise Wrong("it does not work without a fault")
            return made | ({"send"} if state == "STARTTLS" else set())
        finally:
            self.faults.disarm()
            held.wire.close()

    def sources(self, networks):
        """Of as many sessions as the backend has room for; the last tenth of that is for networks that have none."""
        kept = self.all_room // 10
        return [f"{networks}.{number // self.room if number < self.all_room - kept else 100 + number}"
                for number in range(self.all_room)]

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
        """As many as the limits say have room, and no more: in every network that was here, and at the backend."""
        def fill(source, count, connect):
            held = []
            try:
                for _ in range(count):
                    held.append(connect(source))
                return held
            except (AssertionError, OSError):
                for wire in held:
                    wire.close()
                return None

        def filled(source, count, connect):
            return wait_for(lambda: fill(source, count, connect), f"room for {count} sessions from {source}", PATIENCE)

        for wire in self.all_orphans:
            wire.close()
        for number in range(1, self.strikes + 1):
            for wire in filled(f"127.0.4.{number}", self.room, self.plain):
                wire.close()
        held = [wire for source in self.sources("127.0.7") for wire in filled(source, 1, self.session)]
        with self.connect(source="127.0.7.0") as wire:
            assert wire.line().startswith(b"* BYE [LIMIT]"), "more sessions than the limit of a network"
        with self.secure(CONTROL) as wire:
            status = wire.command(b"LOGIN anna Geheim47").status
            assert status.startswith(b"NO [UNAVAILABLE]"), "more sessions than the limit of the backend"
        ends = {(source, str(wire.port)) for wire in held for source in wire.sources}
        for wire in [*held, self.witness]:
            wire.close()
        wait_for(lambda: ends <= {(event["rip"], event["rport"]) for event in self.front.events("disconnect")},
                 "the end of all sessions")
        time.sleep(0.1)


@pytest.mark.parametrize("state", Rig.STATES)
def test_a_call_fails_in(faulty, backend, state):
    """The worker lives and is idle, others are served, and the session goes on or has ended for a true reason."""
    rig = Rig(faulty, backend, 6)
    failures = []
    made = rig.survey(state)
    calls = [call for call in ERRORS if call in made] + [name for name, (call, _) in AGAIN.items() if call in made]
    for call in [*calls, *CLOCKS]:
        for after in AFTER.get(AGAIN.get(call, [call])[0], (0,)):
            name = f"{call} {after + 1}" if after else call
            try:
                text = rig.strike(state, call, after)
            except Exception as error:
                failures.append(f"{name}: {describe(error)}")
                text = "FAILS"
            if not rig.recover():
                failures.append(f"{name}: the worker died: {rig.front.events('worker-died')[-1]}")
                rig.front.killed_workers += 1
            if not text:
                break
            tables.record("A call fails", state, name, text)
    tables.record("Calls that a state does not make", state, "calls", " ".join(call for call in ERRORS if call not in made))
    try:
        rig.room_is_back()
    except (AssertionError, OSError) as error:
        failures.append(f"at the end: {describe(error)}")
    rig.front.stop()
    if rig.front.event("stopping")["sessions"] != "0":
        failures.append("sessions are counted that are not there")
    if failures:
        pytest.fail("\n".join(failures), pytrace=False)


@pytest.mark.parametrize("protocol, most", [("imap", 100000), ("h2", 200)])
def test_each_allocation_of_a_session_fails(faulty, backend, protocol, most):
    """From the connection to the relay, one after the other: the worker survives all, and later sessions work.

    A client that wants another protocol is something to remember, for which there may be no memory.
    """
    front = faulty(backend().address, limits={"connection_rate": "1000000/1s", "login_failures": "1000000/1s",
                                              "login_timeout": "2s"}, log={"level": "info"})
    pid, context = front.worker(), trusting()
    context.set_alpn_protocols([protocol])
    deadline, deaths = time.monotonic() + 40, []
    for number in range(most):
        front.faults.arm("malloc", errno.ENOMEM, pid=pid, after=number)
        with contextlib.suppress(OSError, AssertionError):
            with Wire(("127.0.0.1", front.implicit_port), patience=PATIENCE) as wire:
                wire.handshake(context).line()
                for command in (b"LOGIN anna Geheim47", b"NOOP"):
                    wire.command(command)
        if not process.alive(pid):
            deaths.append(number + 1)
            pid = wait_for(lambda: [new for new in front.workers() if new != pid], "a successor")[0]
        elif not front.faults.fired("malloc"):
            break
        assert time.monotonic() < deadline, f"{number + 1} allocations failed, and there are more"
        assert len(deaths) < 5, f"the worker died when the allocations {deaths} failed"
    front.faults.disarm()
    tables.record("Allocations of a session that failed one by one", protocol, "number", str(number))
    with front.session() as wire:
        noop(wire)
    assert number > 50
    front.killed_workers = len(front.events("worker-died"))
    assert not deaths, f"the worker died when the allocations {deaths} failed"


@pytest.mark.parametrize("times", [1, 2, 3])
def test_starttls_goes_on_when_its_ok_is_sent_late(faulty, backend, times):
    """However often the socket is full, the handshake follows."""
    front = faulty(backend().address)
    with front.plain(patience=PATIENCE) as wire:
        front.faults.arm("send", errno.EAGAIN, pid=front.worker(), times=times)
        wire.starttls()
        noop(wire)


# --- octets ----------------------------------------------------------------------------------------------------


CONTENT = b"".join(b"line %06d of what nobody may lose\r\n" % number for number in range(9000))


def exchange(wire, peer):
    """What each end gets of CONTENT that the other sends; None for one whose connection does not end and has not all."""
    got = {}

    def receive(name, take):
        try:
            got[name] = take(len(CONTENT))
        except TimeoutError:
            got[name] = None
        except (AssertionError, OSError, EOFError) as error:
            got[name] = error

    def push(send):
        with contextlib.suppress(OSError):
            send(CONTENT)

    # The client's end of TLS is one object: it reads after it has written, with room for all in the sockets between.
    client = threading.Thread(target=receive, args=["backend", peer.take])
    sender = threading.Thread(target=push, args=[peer.send])
    client.start(), sender.start()
    push(wire.send)
    receive("client", wire.take)
    client.join(), sender.join()
    return got


class Holder:
    """After the login the connection is the test's."""

    def __init__(self):
        self.free = threading.Event()

    def __call__(self, peer):
        LegacyServer(after=lambda _: self.free.wait(PATIENCE * 5))(peer)


@pytest.fixture
def relaying(faulty, backend):
    """An imapguard, and both ends of a session in RELAY."""
    holder = Holder()
    server = backend(holder)
    front = faulty(server.address)
    wire = front.session(patience=PATIENCE)
    peer = server.peer()
    peer.socket.settimeout(PATIENCE)
    yield front, wire, peer
    holder.free.set()
    wire.close()


@pytest.mark.parametrize("what", [SHORT, errno.EINTR, errno.EAGAIN], ids=["short", "EINTR", "EAGAIN"])
def test_no_octet_is_lost_by_what_is_no_error(relaying, what):
    front, wire, peer = relaying
    for call in ("read", "write", "send", "recv"):
        front.faults.arm(call, what, pid=front.worker(), after=3, times=200)
    assert exchange(wire, peer) == {"client": CONTENT, "backend": CONTENT}
    assert sum(front.faults.fired(call) for call in ("read", "write", "send", "recv")) > 50


@pytest.mark.parametrize("loser", ["client", "backend"])
@pytest.mark.parametrize("error", [errno.ENOBUFS, errno.ENOMEM, errno.EIO], ids=["ENOBUFS", "ENOMEM", "EIO"])
def test_a_relay_that_lost_octets_ends(relaying, loser, error):
    """Both sides see the end, and the log does not say that one of them closed."""
    front, wire, peer = relaying
    for call in ("send", "write", "sendmsg", "writev"):
        front.faults.arm(call, error, pid=front.worker(), after=2,
                         port=wire.port if loser == "client" else peer.socket.getsockname()[1])
    got = exchange(wire, peer)
    assert any(map(front.faults.fired, ("send", "write", "sendmsg", "writev")))
    assert got[loser] is not None, f"the {loser} waits for octets that never come"
    assert got[loser] != CONTENT
    reason = front.end_of(wire)
    assert reason not in LIES, reason
    tables.record("A relay whose write failed", f"to the {loser}", errno.errorcode[error], reason)
    with front.session() as other:
        assert other


# --- the backend's side -----------------------------------------------------------------------------------------

# The call, its error, and the reason and the origin in the log.
NOT_THE_BACKENDS = [
    ("socket", errno.EMFILE, "no-descriptors", "local"), ("socket", errno.ENFILE, "no-descriptors", "local"),
    ("socket", errno.ENOBUFS, "out-of-memory", "local"), ("connect", errno.ENOBUFS, "out-of-memory", "local"),
    ("socket", errno.ENOMEM, "out-of-memory", "local"), ("connect", errno.EADDRNOTAVAIL, "no-local-port", "local"),
    ("connect", errno.ENETUNREACH, "network-unreachable", "network"),
    ("socket", errno.EAFNOSUPPORT, "network-unreachable", "network"),
]
THE_BACKENDS = [
    ("connect", errno.ECONNREFUSED, "connection-refused", "backend"), ("connect", errno.ENOENT, "no-such-socket", "backend"),
    ("connect", errno.EHOSTUNREACH, "connection-failed", "network"),
    ("connect", errno.ETIMEDOUT, "connection-failed", "network"), ("connect", errno.EACCES, "connection-failed", "network"),
]


def named(rows):
    return {"argvalues": rows, "ids": [f"{row[0]}-{errno.errorcode[row[1]]}" for row in rows]}


def fault_of_login(front, wire):
    status = wire.command(b"LOGIN anna Geheim47").status
    assert status.startswith(b"NO [UNAVAILABLE]"), status
    event = front.event("login-unavailable", rport=wire.port)
    return event["reason"], event["origin"]


def fault_of_check(front):
    event = front.event("check-failed")
    return event["reason"], event["origin"]


@pytest.mark.parametrize("call, error, reason, origin", **named(NOT_THE_BACKENDS))
def test_no_backend_is_marked_down_for_what_is_not_its_fault(faulty, backend, call, error, reason, origin):
    servers = [{"name": name, "address": backend().address} for name in ("one", "two")]
    front = faulty("", backends=servers)
    with front.secure() as wire:
        with front.faults.armed(call, error, pid=front.worker(), times=EVER):
            assert fault_of_login(front, wire) == (reason, origin)
        assert not front.events("backend-down"), front.events("backend-down")
        login(wire)
    tables.record("Reasons of local shortages", call, errno.errorcode[error], f"{reason} ({origin})")


@pytest.mark.parametrize("call, error, reason, origin", **named(THE_BACKENDS))
def test_a_backend_is_marked_down_when_it_cannot_be_reached(faulty, backend, call, error, reason, origin):
    front = faulty(backend().address)
    with front.secure() as wire:
        with front.faults.armed(call, error, pid=front.worker(), times=EVER):
            assert fault_of_login(front, wire) == (reason, origin)
        down = front.event("backend-down")
        assert (down["reason"], down["origin"]) == (reason, origin)
        login(wire)
        assert front.event("backend-up")


@pytest.mark.parametrize("greets", [False, True], ids=["greeting", "login"])
def test_a_read_that_fails_here_marks_no_backend_down(faulty, backend, greets):
    """The error of this host comes with the greeting, or with the answer to the login."""
    puppet = Puppet()
    puppet.greets = greets
    legacy = backend(puppet)
    front = faulty(legacy.address)
    with front.secure() as wire:
        wire.send(b"a LOGIN mute Geheim47\r\n")
        peer = legacy.peer()
        if greets:
            wait_for(lambda: hasattr(peer, "accept"), "the login at the backend")
        with front.faults.armed("recv", errno.ENOMEM, pid=front.worker(), port=legacy.port):
            (peer.accept if greets else lambda: puppet.greet(peer))()
            answered(wire, b"a", b"NO [UNAVAILABLE]")
        event = front.event("login-unavailable", rport=wire.port)
        assert (event["reason"], event["origin"]) == ("io-failed", "local")
        assert not front.events("backend-down"), front.events("backend-down")
        puppet.greets = True
        login(wire)


@pytest.mark.parametrize("call, error, reason, origin", **named(NOT_THE_BACKENDS[::5]))
def test_no_check_marks_a_backend_down_for_what_is_not_its_fault(faulty, backend, call, error, reason, origin):
    front = faulty(backend().address, backend_settings={"check_interval": "1s", "check_fall": 1})
    front.event("backend-up")
    front.faults.arm(call, error, pid=wait_for(front.monitor, "the monitor"), times=2)
    front.faults.wait(call, 2)
    assert fault_of_check(front) == (reason, origin)
    time.sleep(0.2)
    assert not front.events("backend-down"), front.events("backend-down")


def field(path, key):
    """The first word behind that key in a file of /proc."""
    return next(line[len(key):].split()[0] for line in path.read_text().splitlines() if line.startswith(key))


@contextlib.contextmanager
def no_descriptor_left(pid):
    """The process can open nothing: its soft limit is the lowest number that it does not use. What is open stays."""
    proc = Path(f"/proc/{pid}")
    account = {"user": int(field(proc / "status", "Uid:")), "group": int(field(proc / "status", "Gid:"))}

    def limit(most):
        """As the process's own account: another one, even root, may lack the capability."""
        subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={most}:"], check=True, **account)

    before = field(proc / "limits", "Max open files")
    used = {int(entry.name) for entry in (proc / "fd").iterdir()}
    limit(next(number for number in range(len(used) + 1) if number not in used))
    try:
        yield
    finally:
        limit(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees which descriptors a worker has")
def test_descriptors_that_are_used_up_mark_no_backend_down(guard, backend):
    """Really used up, in the worker and in the monitor. Every login fails for it, and works as soon as there are some."""
    servers = [{"name": name, "address": backend().address, "check_interval": "1s", "check_fall": 1} for name in ("one", "two")]
    # Exempt from limits: none of them has to make room for another.
    front = guard("", backends=servers, access=[{"name": "us", "action": "allow", "limits": False}])
    wait_for(lambda: len(front.events("backend-up")) == 2, "the first checks")
    monitor, worker = int(front.event("monitor-started")["pid"]), front.workers()[0]
    with contextlib.ExitStack() as wires:
        clients = [wires.enter_context(front.secure()) for _ in range(4)]
        with no_descriptor_left(monitor), no_descriptor_left(worker):
            for wire in clients:
                assert fault_of_login(front, wire) == ("no-descriptors", "local")
            waiting = wires.enter_context(front.connect())
            assert fault_of_check(front) == ("no-descriptors", "local")
        greeted(waiting)
        for wire in clients:
            login(wire)
    assert not front.events("backend-down"), front.events("backend-down")
    assert not front.events("login-failed")


def test_a_backend_that_says_too_much_before_its_ok_is_passed_over(faulty, backend):
    """It is that backend's fault, and no lack of memory."""
    line = b"* OK [ALERT] " + b"x" * 3900 + b"\r\n"
    chatty, good = backend(LegacyServer(untagged=line * 50)), backend()
    front = faulty("", backends=[{"name": "chatty", "address": chatty.address}, {"name": "good", "address": good.address}],
                   routes=[{"backends": ["chatty"], "backup": ["good"]}])
    with front.secure() as wire:
        login(wire)
        noop(wire)
        assert front.event("login", rport=wire.port)["backend"] == "good"
    assert len(chatty.peers) == 1
    assert not front.events("disconnect", reason="out-of-memory")


# --- successors --------------------------------------------------------------------------------------------------


def replace_child(front, child, fault, *, after=0, what=errno.ENOMEM):
    """Kill a child so that its successor meets a fault, and wait until one works that has met none."""
    before = child()
    front.faults.arm(fault, what, pid=NEXT_CHILD, after=after)
    os.kill(before, signal.SIGKILL)
    front.faults.wait(fault)
    hurt = front.faults.last_pid(fault)
    assert hurt != before
    time.sleep(0.1)
    assert front.process.running(), f"the service has ended: {front.text()[-400:]}"
    role = "worker" if child == front.worker else "monitor"
    if not process.alive(hurt):
        wait_for(lambda: [event for event in front.events(f"{role}-started") if int(event["pid"]) > hurt], "a successor")


@pytest.mark.parametrize("after", [0, 1])
def test_a_worker_that_lacks_memory_at_its_start_is_started_again(faulty, backend, after):
    front = faulty(backend().address)
    with front.session() as wire:
        noop(wire)
    replace_child(front, front.worker, "malloc", after=after)
    with front.session() as wire:
        noop(wire)
    front.killed_workers = len(front.events("worker-died"))


@pytest.mark.parametrize("after", [0, 2])
def test_a_monitor_that_lacks_memory_is_started_again(faulty, backend, after):
    server = backend()
    front = faulty(server.address, backend_settings={"check_interval": "1s"})
    with front.session() as wire:
        wait_for(front.monitor, "the monitor")
        replace_child(front, front.monitor, "malloc", after=after)
        count = len(server.peers)
        wait_for(lambda: len(server.peers) > count, "a check by the successor")
        noop(wire)


def named_backend(server):
    return f"localhost:{server.port}"


def test_a_monitor_without_its_thread_is_not_the_end(faulty, backend):
    """pthread_create() fails in a successor: sessions and logins go on, and a later one has its thread."""
    server = backend()
    front = faulty(named_backend(server), backend_settings={"check_interval": "1s"})
    with front.session() as wire:
        wait_for(front.monitor, "the monitor")
        replace_child(front, front.monitor, "pthread_create", what=errno.EAGAIN, after=1)  # the first writes the log
        noop(wire)
    with front.session() as wire:
        noop(wire)
    count = len(server.peers)
    wait_for(lambda: len(server.peers) > count, "a check by the successor")


def test_a_start_without_the_monitors_thread(faulty, backend, library, binary, place, certificate):
    """The monitor is not fatal at the first start either: there are logins as soon as a later one has looked up names."""
    server = backend()
    front = FaultyGuard(library, binary, place, named_backend(server), [certificate], log={"target": "syslog"})
    try:
        front.faults.arm("pthread_create", errno.EAGAIN)  # with syslog there is no thread for the log
        front.start()
        front.faults.wait("pthread_create")
        time.sleep(0.3)
        assert front.process.running(), "the service has ended"
        wait_for(lambda: front.secure().command(b"LOGIN anna Geheim47").status.startswith(b"OK"), "a login")
        front.check()
    finally:
        front.destroy()


def test_fork_fails_and_is_tried_again(faulty, backend):
    front = faulty(backend().address)
    front.faults.arm("fork", errno.EAGAIN)
    front.kill_worker(front.worker())
    front.faults.wait("fork")
    with front.session() as wire:
        noop(wire)
    assert front.events("fork-failed")


def test_a_listening_socket_that_epoll_refuses_is_armed_again(faulty, backend):
    """After a pause in accepting, the kernel has no memory for the socket: it is armed again."""
    front = faulty(backend().address)
    with front.plain(patience=PATIENCE) as wire:
        noop(wire)
        front.faults.arm("epoll_ctl", errno.ENOMEM, pid=front.worker(), port=front.implicit_port)
        front.faults.arm("accept4", errno.ENOMEM, pid=front.worker())
        with front.connect(patience=PATIENCE) as waiting:
            front.faults.wait("epoll_ctl")
            assert waiting.line().startswith(b"* OK")
            with front.secure(patience=PATIENCE) as other:
                noop(other)
        noop(wire)
    assert not spins(front.worker())


def test_a_worker_to_whom_epoll_refuses_everything_for_a_while_serves_again(faulty, backend):
    """Also where the end of a session opens the listening sockets again in the round in which they were lost."""
    front = faulty(backend().address, limits={"connection_rate": "1000000/1s"})
    pid, over = front.worker(), threading.Event()

    def client():
        while not over.is_set():
            with contextlib.suppress(OSError, AssertionError):
                with front.session(patience=PATIENCE) as wire:
                    wire.command(b"NOOP")

    crowd = [threading.Thread(target=client, daemon=True) for _ in range(8)]
    for thread in crowd:
        thread.start()
    try:
        for after in range(20):
            front.faults.arm("epoll_ctl", errno.ENOMEM, pid=pid, times=50, after=after)
            wait_for(lambda: front.faults.fired("epoll_ctl") >= 10, "epoll_ctl() fails")
            front.faults.disarm()
            with front.plain(patience=PATIENCE) as wire:
                noop(wire)
    finally:
        over.set()
        for thread in crowd:
            thread.join()
    assert front.worker() == pid


def test_a_successor_whose_listening_socket_epoll_refuses_opens_it_later(faulty, backend):
    """With a word in the log."""
    front = faulty(backend().address)
    front.faults.arm("epoll_ctl", errno.ENOMEM, pid=NEXT_CHILD, port=front.implicit_port)
    front.kill_worker(front.worker())
    front.faults.wait("epoll_ctl")
    with front.secure() as wire, front.plain() as other:
        noop(wire), noop(other)
    assert not spins(front.worker())
    pid = front.worker()
    words = [event for event in events_in(front.text()) if event.pid == pid and
             event.name not in ("connect", "disconnect", "login", "backend-up")]
    assert words, "no word in the log"


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_successor_to_whom_epoll_refuses_anything_still_ends_in_time(faulty, backend, after):
    """The descriptor by which signals wake the loop among them."""
    front = faulty(backend().address)
    front.faults.arm("epoll_ctl", errno.ENOMEM, pid=NEXT_CHILD, after=after, sockets=False)
    front.kill_worker(front.worker())
    with front.session() as wire:
        noop(wire)
    front.faults.disarm()
    begin = time.monotonic()
    assert front.stop() == 0
    took = time.monotonic() - begin
    front.killed_workers = len(front.events("worker-died"))
    assert took < 4, f"the stop took {took:.1f} s: {front.events('worker-died')[1:]}"


def test_the_master_survives_that_each_of_its_allocations_fails(faulty, backend):
    """While it replaces a worker and the monitor, and opens its log again."""
    front = faulty(backend().address)
    for number in range(40):
        front.faults.arm("malloc", errno.ENOMEM, pid=front.process.pid, after=number)
        before = front.children()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        os.kill(front.process.pid, signal.SIGUSR1)
        wait_for(lambda: not front.process.running() or len(set(front.children()) - set(before)) == 2, "successors")
        assert front.process.running(), f"the service has ended: {front.text()[-400:]}"
        if not front.faults.fired("malloc"):
            break
    front.faults.disarm()
    tables.record("Allocations of a master that failed one by one", "all", "number", str(number))
    with front.session() as wire:
        noop(wire)
    front.killed_workers = len(front.events("worker-died"))


# --- processes that hang ------------------------------------------------------------------------------------------


def hanging(faulty, address, **settings):
    return faulty(address, extra={"hang_timeout": f"{HANG_TIMEOUT}s"}, **settings)


def found_hanging(front, role, count=1):
    """The log lines of children that hang, in time."""
    return wait_for(lambda: len(found := front.events(f"{role}-hung")) >= count and found, "its discovery", HANG_TIMEOUT + 2)


def session_of(front, pid):
    """A session with that worker."""
    def attempt():
        wire = front.session()
        if front.event("login", rport=wire.port).pid == pid:
            return wire
        wire.close()
        return None

    return wait_for(attempt, f"a session with worker {pid}")


def test_workers_that_hang_are_replaced(faulty, backend):
    """Stopped, in an endless loop, in a call that does not return: what waits is served by the successors.

    All that the others had counted is given back.
    """
    front = hanging(faulty, backend().address, workers=3, limits={"sessions": 8}, backend_settings={"max_sessions": 8})
    stopped, looping, blocked = pids = front.workers()
    wires = [session_of(front, pid) for pid in pids]
    front.faults.arm("epoll_wait", LOOP, pid=looping)
    front.faults.arm("recv", BLOCK, pid=blocked)
    begin = time.monotonic()
    os.kill(stopped, signal.SIGSTOP)
    for wire in wires:
        wire.send(b"a NOOP\r\n")
    front.faults.wait("epoll_wait"), front.faults.wait("recv")
    crowd = [front.connect(patience=HANG_TIMEOUT + 4) for _ in range(8)]
    events = found_hanging(front, "worker", 3)
    assert sorted(int(event["pid"]) for event in events) == sorted(pids)
    assert sorted(event["worker"] for event in events) == ["0", "1", "2"]
    for event in events:
        assert HANG_TIMEOUT - 0.5 <= float(event["silent"]) <= HANG_TIMEOUT + 2
        tables.record("A worker that hangs", ("stopped", "looping", "blocked")[pids.index(int(event["pid"]))],
                      "log", f"state={event.values.get('state')} session={event.values.get('session')}")
    front.faults.disarm()
    for wire in crowd:
        assert wire.line().startswith(b"* OK"), "the queue was lost"
        wire.close()
    assert time.monotonic() - begin < HANG_TIMEOUT + 2.5
    for wire in wires:
        wire.rest()
    assert not any(map(process.alive, pids))
    held = [front.session() for _ in range(8)]
    for wire in held:
        wire.close()
    front.killed_workers = len(front.events("worker-died"))


def test_only_the_worker_that_hangs_is_replaced(faulty, backend):
    """The log names the session that it hung in."""
    front = hanging(faulty, backend().address, workers=2)
    with front.plain() as wire:
        pid = front.event("connect", rport=wire.port).pid
        front.faults.arm("recv", LOOP, pid=pid)
        wire.send(b"a NOOP\r\n")
        front.faults.wait("recv")
        event = found_hanging(front, "worker")[0]
        assert int(event["pid"]) == pid
        assert event["state"] == "CLEARTEXT"
        assert event["session"] == front.event("connect", rport=wire.port)["session"]
    before = {pid, *front.workers()}
    wait_for(lambda: len(front.workers()) == 2 and pid not in front.workers(), "a successor")
    time.sleep(1)
    assert len(before & set(front.workers())) >= 1
    assert len(front.events("worker-hung")) == 1
    front.killed_workers = len(front.events("worker-died"))


def test_a_monitor_that_hangs_is_replaced(faulty, backend):
    """Stopped, in an endless loop, in a call that does not return."""
    servers = [backend() for _ in range(3)]
    fronts = [hanging(faulty, server.address, backend_settings={"check_interval": "1s"}) for server in servers]
    pids = [wait_for(front.monitor, "the monitor") for front in fronts]
    with fronts[0].session() as wire:
        os.kill(pids[0], signal.SIGSTOP)
        fronts[1].faults.arm("epoll_wait", LOOP, pid=pids[1])
        fronts[2].faults.arm("epoll_wait", BLOCK, pid=pids[2])
        for front, pid, server in zip(fronts, pids, servers):
            event = wait_for(lambda: front.events("monitor-hung"), "its discovery", HANG_TIMEOUT + 3)[0]
            assert int(event["pid"]) == pid
            wait_for(lambda: front.monitor() not in (None, pid), "its successor")
            count = len(server.peers)
            wait_for(lambda: len(server.peers) > count, "a check by the successor")
        noop(wire)


def test_a_group_that_was_stopped_as_a_whole_goes_on(faulty, backend):
    """A suspended machine, a debugger: nobody was silent for longer than the one who judges."""
    front = hanging(faulty, backend().address, workers=2)
    before = sorted(front.children())
    with front.session() as wire:
        os.killpg(front.process.pid, signal.SIGSTOP)
        time.sleep(HANG_TIMEOUT + 1.5)
        os.killpg(front.process.pid, signal.SIGCONT)
        time.sleep(HANG_TIMEOUT)
        assert sorted(front.children()) == before
        assert not front.events("worker-hung") and not front.events("monitor-hung")
        noop(wire)


# --- time ---------------------------------------------------------------------------------------------------------

HOURS = {"forward": 3600, "back": -3600}


def both_ways(check, front_of):
    """What is wrong when the clock is set forward, and when it is set back, in two imapguards at the same time."""
    wrong = []

    def run(name, front):
        try:
            wrong.extend(f"{name}: {text}" for text in check(front, HOURS[name]))
        except Exception as error:
            wrong.append(f"{name}: {describe(error)}")

    threads = [threading.Thread(target=run, args=[name, front_of()]) for name in HOURS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def ends_in_time(front, jump):
    with front.plain() as plain, front.plain() as moving, front.session() as idle, front.session() as busy:
        began = time.monotonic()
        time.sleep(0.5)
        front.faults.shift(realtime=jump)
        time.sleep(0.9)  # libev looks at the time of day twice a second
        with contextlib.suppress(OSError, AssertionError):  # its end is seen below
            moving.starttls()
            noop(busy)
        ends = {}
        wires = {wire.socket: (name, wire) for name, wire in
                 (("PLAIN", plain), ("SECURE", moving), ("RELAY, idle", idle), ("RELAY, busy", busy))}
        while wires and time.monotonic() < began + 8:
            for sock in select.select(list(wires), [], [], 0.1)[0]:
                name, wire = wires[sock]
                wire.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    if not wire.socket.recv(65536):
                        ends[name] = time.monotonic() - began
                        del wires[sock]
    expected = {"PLAIN": 3, "SECURE": 3, "RELAY, idle": 4, "RELAY, busy": 5.4}
    return [f"{name} ends after {ends.get(name, 99):.1f} s in place of {seconds}" for name, seconds in expected.items()
            if not seconds - 0.6 <= ends.get(name, 99) <= seconds + 1.3]


def test_deadlines_do_not_follow_the_time_of_day(faulty, backend):
    """A session that is silent before its login, or idle after it, ends in its time when the clock is set."""
    limits = {"login_timeout": "3s", "idle_timeout": "4s"}
    both_ways(ends_in_time, lambda: faulty(backend().address, limits=limits))


def bans_in_time(front, jump):
    def is_banned():
        with front.connect(source=CONTROL) as wire:
            return not wire.line_or_end().startswith(b"* OK")

    for number in range(2):
        with front.secure(source=CONTROL) as wire:
            wire.send(b"a LOGIN anna wrong%d\r\n" % number)
            wire.line_or_end()
    front.event("banned", rip=CONTROL)
    began = time.monotonic()
    front.faults.shift(realtime=jump)
    while is_banned() and time.monotonic() < began + 6.5:
        time.sleep(0.1)
    lasted = time.monotonic() - began
    return [] if 3.2 <= lasted < 6 else [f"free after {lasted:.1f} s in place of 4"]


def test_a_ban_does_not_follow_the_time_of_day(faulty, backend):
    limits = {"login_failures": "1/10m", "ban_time": "4s", "login_delay": "0s"}
    both_ways(bans_in_time, lambda: faulty(backend(LegacyServer(answer=b"NO wrong")).address, limits=limits))


def test_nobody_hangs_because_the_clock_was_set(faulty, backend):
    front = hanging(faulty, backend().address, workers=2)
    before = sorted(front.children())
    for jump in HOURS.values():
        front.faults.shift(realtime=jump)
        time.sleep(1.2)
    assert sorted(front.children()) == before
    assert not front.events("worker-hung") and not front.events("monitor-hung")


# --- starts, ends, limits -------------------------------------------------------------------------------------------


def start_together(guards):
    """Start several of one configuration at once; those that run a moment later, and those that have ended."""
    for this in guards:
        this.process = process.Process([this.binary, "-c", this.config, "-f"], this.output,
                                       env=this.faults.environment())


def outcome_of_starts(guards):
    """How many run. Each says that it has started or ends."""
    def decided(this):
        return not this.process.running() or f"imapguard[{this.process.pid}]: started " in this.text()

    wait_for(lambda: all(map(decided, guards)), "the starts")
    return [this for this in guards if this.process.running()]


@pytest.fixture
def twins(library, binary, place, certificate, backend, logs):
    """Two imapguards with one configuration, not started."""
    guards = [FaultyGuard(library, binary, place, backend().address, [certificate]) for _ in range(2)]
    guards[1].config = guards[0].config
    guards[1].starttls_port, guards[1].implicit_port = guards[0].starttls_port, guards[0].implicit_port
    guards[0].config.write_text("".join(f"{key} = {libconfig(value)};\n" for key, value in guards[0].settings.items()))
    logs += [this.output for this in guards]
    yield guards
    for this in guards:
        this.destroy()


def test_one_of_two_simultaneous_starts_wins(twins):
    for number in range(20):
        start_together(twins)
        running = outcome_of_starts(twins)
        for this in running:
            this.process.stop()
        assert len(running) == 1, f"{len(running)} run, in round {number + 1}"


@pytest.mark.parametrize("after", [1, 3])
def test_one_of_two_starts_wins_when_both_have_looked(twins, after):
    """Each has found its first port free, or its second, before the other has taken it."""
    for number in range(5):
        for this in twins:
            this.faults.arm("socket", STALL, after=after)
        start_together(twins)
        with contextlib.suppress(AssertionError):  # one that sees the other earlier ends earlier
            wait_for(lambda: all(this.faults.fired("socket") or not this.process.running() for this in twins), "", 0.5)
        for this in twins:
            this.faults.disarm()
        running = outcome_of_starts(twins)
        for this in running:
            this.process.stop()
        assert len(running) == 1, f"{len(running)} run, in round {number + 1}"


def test_an_orphan_does_not_serve(faulty, backend):
    """The master is killed between its fork() and the child's first look at whose child it is."""
    front = faulty(backend().address)
    front.faults.arm("fork", STALL)
    front.kill_worker(front.worker())
    front.faults.wait("fork")
    orphan = front.faults.last_pid("fork")
    front.process.kill()
    front.process = None
    try:
        front.faults.disarm()
        wait_for(lambda: not process.alive(orphan), "the end of the orphan", PATIENCE)
        assert not listening(front.starttls_port)
    finally:
        if process.alive(orphan):
            os.kill(orphan, signal.SIGKILL)


def test_max_sessions_is_exact_over_all_workers(faulty, backend):
    """Of clients that come at once never more are greeted than there is room for, and all of the room is given.

    They are exempt from limits: so none of them has to make room for another.
    """
    front = faulty(backend().address, workers=4, extra={"max_sessions": 20}, log={"level": "info"},
                   access=[{"name": "us", "action": "allow", "limits": False}])
    for _ in range(2):
        crowd = []
        for _ in range(60):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", front.starttls_port))
            crowd.append(sock)
        greeted_ones, until = set(), time.monotonic() + 0.5
        while time.monotonic() < until:
            greeted_ones |= set(select.select([sock for sock in crowd if sock not in greeted_ones], [], [], 0.05)[0])
        assert len(greeted_ones) == 20
        # Who leaves makes room for as many, and for no more.
        for sock in list(greeted_ones)[:5]:
            sock.close()
            crowd.remove(sock)
            greeted_ones.remove(sock)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            greeted_ones |= set(select.select([sock for sock in crowd if sock not in greeted_ones], [], [], 0.05)[0])
        assert len(greeted_ones) == 20
        for sock in crowd:
            sock.close()
        wait_for(lambda: front.events("disconnect"), "an end")
        time.sleep(0.7)
