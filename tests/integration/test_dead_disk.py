"""A log on a disk that hangs: sessions go on, children are started again, and the log says what it lacks.

tests/faults/faults.c lets writes to the log's file, and the opening of it, hang until the disk answers again.
"""

import os
import re
import signal
import time

import pytest

from faults import EVER, NEXT_CHILD, STALL, FaultyGuard, build
from guard import LINE, events_in, guards
from process import alive
from waiting import SANITIZED, wait_for

pytestmark = pytest.mark.skipif(SANITIZED, reason="AddressSanitizer wants no other library in front of it")

LOGINS = 60
SECONDS = 2  # that nothing takes which does not wait for the disk
HANG_TIMEOUT = 2


@pytest.fixture(scope="session")
def library(vault):
    return build(vault)


class Disk:
    """The disk that has the log of one imapguard."""

    def __init__(self, front, log):
        self.front, self.log = front, log

    def hang(self, *calls):
        for call in calls or ("write", "writev"):
            self.front.faults.arm(call, STALL, times=EVER, file=self.log)

    def answer(self):
        self.front.faults.disarm()


@pytest.fixture
def on_disk(library, binary, place, certificate, logs, backend):
    """Starts an imapguard with its log in a file, or on a standard error that is one: on_disk(...) gives it and its disk."""
    start = guards(lambda target, **settings: FaultyGuard(
        library, binary, place, backend().address, [certificate], log={"level": "info", "target": target},
        limits={"connection_rate": "100000/1m", "sessions": 1000}, extra={"hang_timeout": f"{HANG_TIMEOUT}s"}, **settings),
                   logs)
    make = next(start)

    def begin(target="file", **settings):
        log = place / "log.txt"
        front = make(str(log) if target == "file" else target, **settings)
        return front, Disk(front, log if target == "file" else front.output)

    yield begin
    next(start, None)


def log_in(front, first, end):
    """Sessions one after the other, none of which waits."""
    begin = time.monotonic()
    for number in range(first, end):
        with front.session(b"user%d" % number) as wire:
            assert wire.command(b"NOOP").status.startswith(b"OK")
    assert time.monotonic() - begin < SECONDS + 0.1 * (end - first), "sessions wait for the log"
    return [f"user{number}" for number in range(first, end)]


def users(text):
    return re.findall(r'imapguard\[\d+\]: login .*user="([^"]*)"', text)


def expect_whole_lines_in_order(text):
    assert not [line for line in text.splitlines() if not LINE.match(line)]
    for pid in {event.pid for event in events_in(text)}:
        own = [line.split()[0] for line in text.splitlines() if f"imapguard[{pid}]" in line]
        assert own == sorted(own), f"lines of {pid} are out of order"


@pytest.mark.parametrize("target", ["file", "stderr"])
def test_sessions_and_successors_do_not_wait(on_disk, target):
    """Longer than hang_timeout: the workers live. What was killed meanwhile is replaced, and all lines come later."""
    front, disk = on_disk(target, workers=2)
    workers = front.workers()
    disk.hang()
    wanted = log_in(front, 0, 1)
    front.faults.wait("write")
    before = front.children()
    front.kill_worker(workers[0])
    wait_for(lambda: workers[0] not in front.children() and len(front.children()) == len(before), "a successor")
    late = time.monotonic() + HANG_TIMEOUT + 1.5
    number = 1
    while number < LOGINS or time.monotonic() < late:
        wanted += log_in(front, number, number + 10)
        number += 10
    assert workers[1] in front.children(), "the worker was taken for hung"
    assert users(disk.log.read_text()) == []
    disk.answer()
    wait_for(lambda: set(wanted[1:]) <= set(users(disk.log.read_text())), "all the logins")
    wait_for(lambda: front.events("worker-died"), "the master's lines")
    assert not front.events("worker-hung") and not front.events("log-lost")
    front.stop()
    text = disk.log.read_text()
    expect_whole_lines_in_order(text)
    assert sorted(set(users(text)) | {"user0"}) == sorted(wanted) and len(set(users(text))) == len(users(text))
    assert [event.name for event in events_in(text)][-1] == "stopped"


def test_lost_lines_are_counted_exactly(on_disk):
    """More lines than the queue holds: those that are there and those that are not are all that were logged."""
    front, disk = on_disk(workers=1)
    worker, count = front.workers()[0], 250
    disk.hang()
    for number in range(count):
        with front.session(b'"%s%d"' % (b"<" * 240, number)) as wire:
            pass
    disk.answer()
    lost = int(front.event("log-lost")["count"])
    last = log_in(front, 0, 1)
    wait_for(lambda: users(disk.log.read_text())[-1:] == last, "a login after the gap")
    front.end_of(wire) if lost == 0 else wait_for(lambda: len(front.events("disconnect", user=last[0])) == 1, "its end")
    mine = [event.name for event in events_in(disk.log.read_text()) if event.pid == worker]
    assert mine.count("log-lost") == 1 and lost > 0
    assert mine.count("login") + mine.count("disconnect") + lost == 2 * (count + 1)
    expect_whole_lines_in_order(disk.log.read_text())


def test_it_ends_quickly(on_disk):
    front, disk = on_disk(workers=2)
    disk.hang()
    log_in(front, 0, 10)
    pids, before = front.children(), time.monotonic()
    os.kill(front.process.pid, signal.SIGTERM)
    assert front.process.wait() == 0
    assert time.monotonic() - before < SECONDS + 1 and not any(map(alive, pids))
    disk.answer()


def test_a_rotation(on_disk):
    """The new file cannot be opened for a while: no process waits, and each goes on there afterwards."""
    front, disk = on_disk(workers=2)
    old = disk.log.with_name("log.txt.1")
    disk.log.rename(old)
    disk.log.touch()
    os.chown(disk.log, old.stat().st_uid, old.stat().st_gid)
    disk.hang("open")
    os.kill(front.process.pid, signal.SIGUSR1)
    front.faults.wait("open")
    before, worker = front.children(), front.workers()[0]
    front.kill_worker(worker)
    wait_for(lambda: worker not in front.children() and len(front.children()) == len(before), "a successor")
    wanted = log_in(front, 0, LOGINS)
    disk.answer()
    wait_for(lambda: front.faults.fired("open") == 1, "the master alone has waited")

    def goes_on_in_the_new_file():
        nonlocal wanted
        wanted += log_in(front, len(wanted), len(wanted) + 1)
        front.events("login")  # waits until the log is written
        return wanted[-1] in users(disk.log.read_text())

    for _ in range(4):
        wait_for(goes_on_in_the_new_file, "the new file")
    front.stop()
    text = old.read_text() + disk.log.read_text()
    assert sorted(users(text)) == sorted(wanted)
    expect_whole_lines_in_order(old.read_text())
    expect_whole_lines_in_order(disk.log.read_text())
    assert "log-reopen-failed" not in text


def test_a_worker_without_its_writer_logs_itself(on_disk):
    """pthread_create() fails: the worker says so, and writes its lines as it comes to them."""
    front, disk = on_disk(workers=1)
    worker = front.workers()[0]
    front.faults.arm("pthread_create", 11, pid=NEXT_CHILD)
    front.kill_worker(worker)
    front.faults.wait("pthread_create")
    hurt = front.faults.last_pid("pthread_create")
    assert front.event("log-writer-failed").pid == hurt
    wanted = log_in(front, 0, 3)
    assert users(disk.log.read_text()) == wanted
