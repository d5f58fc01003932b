"""Logs that take no lines: nobody reads them, the reader has gone, the disk is full. Service goes on."""

import contextlib
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from guard import LINE, Guard, events_in, guards
from process import alive
from waiting import SANITIZED, listening, wait_for

LOGINS = 100  # at level debug more lines than a pipe holds, and fewer than pipe and queue hold
SECONDS_TO_STOP = 6 if SANITIZED else 2

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")

# What a program finds in /dev of a container, and /dev/log.
SMALL_DEV = """
mount -t tmpfs tmpfs /dev
for node in null:3 zero:5 random:8 urandom:9; do mknod -m 666 /dev/${{node%:*}} c 1 ${{node#*:}}; done
ln -s /proc/self/fd /dev/fd
ln -s {place}/syslog /dev/log
"""

# {place}/disk has 512 KiB; the file on it leaves 16.
SMALL_DISK = """
mount -t tmpfs -o size=512k,mode=755 tmpfs {place}/disk
head -c 507904 /dev/zero >{place}/disk/filler
"""

SYSLOG = re.compile(rb"^<(\d+)>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) imapguard\[(\d+)\]: (\S+)(?: .*)?$")


class TroubledGuard(Guard):
    """An imapguard whose standard error may be a descriptor of the test, and which may have mounts of its own."""

    stderr = None

    def _limit_descriptors(self):
        if self.stderr is not None:
            os.dup2(self.stderr, 2)

    def _ready(self):
        """It may have no log that could be read here."""
        assert self.process.running(), f"imapguard ended at its start:\n{self.text()}"
        return listening(self.starttls_port) and listening(self.implicit_port)


@pytest.fixture
def troubled(binary, place, certificate, logs, backend):
    """Starts one imapguard before a fake backend: troubled(log settings, stderr=descriptor, mounts=script)."""
    def make(log=None, *, stderr=None, mounts=None, workers=1):
        program = None
        if mounts:
            inner, program = place / "in-namespace", place / "imapguard"
            inner.write_text("#!/bin/sh\nset -e\n" + mounts.format(place=place) + f'exec {binary} "$@"\n')
            program.write_text(f'#!/bin/sh\nexec unshare --mount {inner} "$@"\n')
            for script in (inner, program):
                script.chmod(0o755)
        front = TroubledGuard(binary, place, backend().address, [certificate], log=log, workers=workers,
                              limits={"connection_rate": "100000/1m"}, program=program)
        front.stderr = stderr
        return front

    yield from guards(make, logs)


@pytest.fixture
def pipe():
    """A reading and a writing end; the test may close either."""
    ends = os.pipe()
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


class Syslogd:
    """A socket where /dev/log leads to. Reads nothing before it is told to."""

    def __init__(self, path, kind=socket.SOCK_DGRAM):
        self.path = path
        self.kind = kind
        self.messages = []
        self.connections = []
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(str(path))
        path.chmod(0o666)
        if kind == socket.SOCK_STREAM:
            self.socket.listen(16)

    def read(self):
        threading.Thread(target=self._accept if self.kind == socket.SOCK_STREAM else self._receive,
                         daemon=True).start()
        return self

    def _receive(self):
        with contextlib.suppress(OSError):
            while message := self.socket.recv(65536):
                self.messages.append(message)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.connections.append(self.socket.accept()[0])
                threading.Thread(target=self._split, args=[self.connections[-1]], daemon=True).start()

    def _split(self, connection):
        data = b""
        while more := connection.recv(65536):
            *whole, data = (data + more).split(b"\0")
            self.messages += whole

    def logins(self):
        """The users of the logins that were told, in their order."""
        return users(b"\n".join(self.messages).decode())

    def close(self):
        """The end of all connections."""
        self.path.unlink()
        for each in (self.socket, *self.connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def syslogd(place):
    """Starts them, one after the other: syslogd(kind)."""
    started = []

    def start(*kind):
        started.append(Syslogd(place / "syslog", *kind))
        return started[-1]

    yield start
    for this in started:
        if this.socket.fileno() != -1:
            this.close()


def users(text):
    return re.findall(r'imapguard\[\d+\]: login .*user="([^"]*)"', text)


def log_in(front, first=0, end=LOGINS):
    """Many sessions, one after the other; `user<number>` each."""
    for number in range(first, end):
        with front.session(b"user%d" % number) as wire:
            assert wire.command(b"NOOP").status.startswith(b"OK")
    return [f"user{number}" for number in range(first, end)]


def stops_quickly(front):
    """SIGTERM ends all of it soon, with a session open, and with status 0."""
    with front.session(b"last") as wire:
        pids = front.children()
        before = time.monotonic()
        os.kill(front.process.pid, signal.SIGTERM)
        wire.rest()
        wire.close()
        code = front.process.wait()
        seconds = time.monotonic() - before
    assert not any(map(alive, pids))
    assert code == 0 and seconds < SECONDS_TO_STOP, (code, seconds)


class Reader(threading.Thread):
    """Reads a descriptor from now on to its end."""

    def __init__(self, descriptor):
        super().__init__(daemon=True)
        self.descriptor = descriptor
        self.data = b""
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while more := os.read(self.descriptor, 65536):
                self.data += more

    def text(self):
        return self.data.decode()


# --- standard error -------------------------------------------------------------------------------------------


def test_pipe_that_nobody_reads(troubled, pipe):
    front = troubled(stderr=pipe[1])
    log_in(front)
    stops_quickly(front)


def test_pipe_that_is_read_again(troubled, pipe):
    """What waited is written, although nothing more is logged: all of it, in whole lines and in order."""
    front = troubled(stderr=pipe[1], workers=2)
    wanted = log_in(front)
    os.close(pipe[1])
    reader = Reader(pipe[0])
    wait_for(lambda: len(users(reader.text())) == LOGINS, "all the logins")
    stops_quickly(front)
    wait_for(lambda: not reader.is_alive(), "the end of the pipe")
    assert sorted(users(reader.text())) == sorted([*wanted, "last"])
    assert not [line for line in reader.text().splitlines() if not LINE.match(line)]
    for pid in {event.pid for event in events_in(reader.text())}:
        own = [line for line in reader.text().splitlines() if f"imapguard[{pid}]" in line]
        assert own == sorted(own, key=lambda line: line.split()[0])
    assert "log-lost" not in reader.text()
    assert [event.name for event in events_in(reader.text())][-1] == "stopped"


def test_pipe_whose_reader_has_gone(troubled, pipe):
    front = troubled(stderr=pipe[1])
    os.close(pipe[0])
    log_in(front)
    stops_quickly(front)


def test_lost_lines_are_counted(troubled, pipe):
    """More lines than pipe and queue hold. The user makes them long."""
    front = troubled(stderr=pipe[1])
    for number in range(LOGINS):
        with front.session(b'"%s%d"' % (b"<" * 200, number)):
            pass
    os.close(pipe[1])
    reader = Reader(pipe[0])
    wait_for(lambda: " log-lost count=" in reader.text(), "the line about lost lines")
    log_in(front, 0, 1)
    wait_for(lambda: users(reader.text())[-1] == "user0", "the next login")
    stops_quickly(front)
    events = list(events_in(reader.text()))
    told = sum(event.name in ("connect", "login", "disconnect") for event in events)
    lost = [int(event["count"]) for event in events if event.name == "log-lost"]
    assert len(lost) == 1 and lost[0] > 0
    assert told + lost[0] >= 3 * (LOGINS + 1)


def test_socket_that_nobody_reads(troubled):
    """systemd's standard error is one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        front = troubled(stderr=theirs.fileno())
        log_in(front)
        stops_quickly(front)


def test_the_shell_keeps_a_blocking_standard_error(troubled, pipe):
    """The description of standard error is shared with those who started imapguard."""
    front = troubled(stderr=pipe[1])
    log_in(front)
    assert os.get_blocking(pipe[1])
    stops_quickly(front)


# --- syslog ---------------------------------------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_syslogd_that_does_not_read(troubled, syslogd, kind):
    syslogd(kind)
    front = troubled({"target": "syslog"}, mounts=SMALL_DEV)
    log_in(front)
    stops_quickly(front)


@needs_root
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_syslogd_that_reads_again(troubled, syslogd, kind):
    """What waited is written, in RFC 3164's form and in order. Each new line takes some along."""
    daemon = syslogd(kind)
    front = troubled({"target": "syslog", "facility": "local3"}, mounts=SMALL_DEV)
    wanted = log_in(front)
    daemon.read()

    def all_are_there():
        wanted.extend(log_in(front, len(wanted), len(wanted) + 1))
        return set(daemon.logins()[-1:]) & set(wanted[-2:])

    wait_for(all_are_there, "all the logins")
    wait_for(lambda: len(daemon.logins()) == len(wanted), "the last one")
    assert daemon.logins() == wanted
    stops_quickly(front)
    wait_for(lambda: b"stopped" in daemon.messages[-1], "the last line")
    forms = [SYSLOG.match(message) for message in daemon.messages]
    assert all(forms), [message for message, form in zip(daemon.messages, forms) if not form]
    now = time.time()
    lately = {time.strftime("%b %e %H:%M:%S", time.localtime(now - ago)).encode() for ago in range(120)}
    assert {form[2] for form in forms} <= lately
    priorities = {form[4]: int(form[1]) for form in forms}
    assert priorities[b"login"] == 19 << 3 | 6 and priorities[b"connect"] == 19 << 3 | 7


@needs_root
@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_syslogd_that_starts_again(troubled, syslogd, kind):
    """It comes back with another socket; meanwhile the lines wait for it."""
    first = syslogd(kind).read()
    front = troubled({"target": "syslog"}, mounts=SMALL_DEV)
    log_in(front, 0, 3)
    wait_for(lambda: len(first.logins()) == 3, "three logins")
    first.close()
    log_in(front, 3, 8)
    second = syslogd(kind).read()
    wait_for(lambda: len(first.logins()) + len(second.logins()) == 8, "those since then")
    assert first.logins() + second.logins() == [f"user{number}" for number in range(8)]
    stops_quickly(front)


@needs_root
def test_syslogd_that_starts_late(troubled, syslogd):
    """Without one, service goes on and the lines wait."""
    front = troubled({"target": "syslog"}, mounts=SMALL_DEV)
    wanted = log_in(front, 0, 8)
    daemon = syslogd().read()
    wait_for(lambda: daemon.logins() == wanted, "the logins")
    wait_for(lambda: any(b": started " in message for message in daemon.messages), "the master's lines")
    stops_quickly(front)


# --- a full disk ----------------------------------------------------------------------------------------------


@pytest.fixture
def disk(place):
    """A folder that is a small tmpfs in the mount namespace of imapguard, and what the log of one there is."""
    (place / "disk").mkdir()
    return {"target": str(place / "disk" / "log")}


def inside(front, path):
    """A path in the namespace of imapguard."""
    return Path(f"/proc/{front.process.pid}/root{path}")


def expect_single_lines(text):
    joined = [line for line in text.splitlines() if len(re.findall(r"\d{4}-\d\d-\d\dT", line)) > 1 or not line]
    assert not joined


@needs_root
def test_full_disk(troubled, disk, place):
    """Lines go to standard error, and to the file as soon as it takes them; no two lines run into one."""
    front = troubled(disk, mounts=SMALL_DISK, workers=2)
    wanted = log_in(front)
    log = inside(front, disk["target"])
    wait_for(lambda: users(front.output.read_text())[-1:] == wanted[-1:], "the last login elsewhere")
    elsewhere = front.output.read_text()
    assert log.stat().st_size <= 16384
    inside(front, place / "disk" / "filler").unlink()
    more = log_in(front, LOGINS, LOGINS + 10)
    wait_for(lambda: users(log.read_text())[-1] == more[-1], "the last login in the file")
    text = log.read_text()
    expect_single_lines(text)
    assert sorted(users(text) + users(elsewhere)) == sorted(wanted + more)
    stops_quickly(front)


@needs_root
def test_full_disk_and_pipe_that_nobody_reads(troubled, disk, place, pipe):
    """Lines wait for the one or the other."""
    front = troubled(disk, mounts=SMALL_DISK, stderr=pipe[1])
    wanted = log_in(front)
    log = inside(front, disk["target"])
    os.set_blocking(pipe[0], False)
    inside(front, "/").joinpath(str(place)[1:], "disk", "filler").unlink()
    wait_for(lambda: users(log.read_text())[-1:] == wanted[-1:], "the last login in the file")
    text = log.read_text()
    expect_single_lines(text)
    elsewhere = os.read(pipe[0], 1 << 20).decode()
    assert sorted(users(text) + users(elsewhere)) == sorted(wanted)
    stops_quickly(front)


@needs_root
def test_full_disk_for_ever(troubled, disk, pipe):
    front = troubled(disk, mounts=SMALL_DISK, stderr=pipe[1])
    log_in(front)
    stops_quickly(front)
