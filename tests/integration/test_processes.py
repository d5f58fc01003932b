"""Master and workers: who they are, how they end, and what outlives the end of one."""

import ctypes
import os
import pwd
import signal
import socket
import time

import pytest

import process
from tools import run
from waiting import listening, wait_for

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another account")


def spread(front, workers):
    """Sessions until each of so many workers has one: {pid: [wire, ...]}."""
    held = {}

    def enough():
        wire = front.session()
        held.setdefault(front.event("login", rport=wire.port).pid, []).append(wire)
        return len(held) == workers

    wait_for(enough, f"sessions on {workers} workers")
    return held


@needs_root
def test_workers_are_unprivileged(guard, backend):
    front = guard(backend().address, workers=2)
    nobody = pwd.getpwnam("nobody")
    assert len(front.workers()) == 2
    for pid in front.workers():
        wait_for(lambda: process.status(pid, "Uid").split() == [str(nobody.pw_uid)] * 4, "privileges are given up")
        assert process.status(pid, "Gid").split() == [str(nobody.pw_gid)] * 4
        assert process.status(pid, "Groups").split() in ([], [str(nobody.pw_gid)])
        assert int(process.status(pid, "CapEff"), 16) == int(process.status(pid, "CapPrm"), 16) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop(guard, backend, number):
    """With a session in each state: exit status 0, nobody left, the ports free."""
    front = guard(backend().address, workers=2)
    with front.plain(), front.secure(), front.session() as wire:
        assert front.stop(number) == 0
        wire.rest()
    front.event("stopped")
    assert not listening(front.starttls_port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop_of_the_group(guard, backend, number):
    """A terminal and a service manager send the signal to the workers too: it is no accident."""
    front = guard(backend().address, workers=2)
    with front.session() as wire:
        workers = front.workers()
        os.killpg(front.process.pid, number)
        assert front.process.wait() == 0
        wire.rest()
    wait_for(lambda: not any(map(process.alive, workers)), "the end of the workers")
    assert not front.events("worker-died")


def test_killed_worker_takes_only_its_own_sessions(guard, backend):
    front = guard(backend().address, workers=2)
    held = spread(front, 2)
    (victim, ended), (survivor, going_on) = held.items()
    front.kill_worker(victim)
    for wire in ended:
        wire.rest()
    front.event("worker-died", pid=victim)
    wait_for(lambda: len(front.events("worker-started")) == 3, "a new worker")
    for wire in going_on:
        assert wire.command(b"NOOP").status.startswith(b"OK")
    assert survivor in front.workers() and victim not in front.workers()
    new = front.events("worker-started")[-1]
    assert new["worker"] == front.event("worker-died")["worker"]
    assert int(new["pid"]) in spread(front, 2)


def test_connections_wait_for_the_new_worker(guard, backend):
    """The master keeps the sockets: nobody is refused while a worker is started again."""
    front = guard(backend().address, workers=1)
    for _ in range(5):
        pid = wait_for(front.workers, "a worker")[0]
        front.kill_worker(pid)
        with front.plain() as wire:
            assert wire.command(b"NOOP").status.startswith(b"OK")


def sockets_of(pid):
    """Copies of the listening sockets of a process: pidfd_getfd(2), for which Python has no name."""
    libc, found = ctypes.CDLL(None, use_errno=True), []
    process_fd = os.pidfd_open(pid)
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = libc.syscall(438, process_fd, int(name), 0)
        if fd == -1:
            continue
        if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
            copy = socket.socket(fileno=fd)
            if copy.family == socket.AF_INET and copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                found.append(copy)
        else:
            os.close(fd)
    os.close(process_fd)
    return found


@needs_root
def test_a_listening_socket_that_a_worker_has_shut_down_is_replaced(guard, backend):
    """One that was taken over could; its successor must not inherit it."""
    front = guard(backend().address, workers=1)
    worker = front.workers()[0]
    mine = sockets_of(worker)
    assert len(mine) == 2
    for one in mine:
        one.shutdown(socket.SHUT_RDWR)
        one.close()
    assert not listening(front.starttls_port)
    front.kill_worker(worker)
    front.event("listener-replaced", listener="imaps")
    with front.plain() as wire, front.secure() as other:
        assert wire.command(b"NOOP").status.startswith(b"OK")
        assert other.command(b"NOOP").status.startswith(b"OK")


def test_workers_end_with_a_killed_master(guard, backend):
    front = guard(backend().address, workers=2)
    workers = front.workers()
    front.process.kill()
    front.process = None
    try:
        wait_for(lambda: not any(map(process.alive, workers)), "the end of the orphans")
    finally:
        for pid in filter(process.alive, workers):
            os.kill(pid, signal.SIGKILL)


def test_out_of_descriptors(guard, backend):
    """Sessions that are there go on, the worker does not spin, and later ones are served."""
    front = guard(backend().address, descriptors=64)
    worker = front.workers()[0]
    session = front.session()
    crowd = [front.connect() for _ in range(120)]
    greeted = [wire for wire in crowd[:10] if wire.line()]
    assert len(greeted) == 10
    before, begin = process.cpu_seconds(worker), time.monotonic()
    while time.monotonic() - begin < 2:
        assert session.command(b"NOOP").status.startswith(b"OK")
        time.sleep(0.1)
    assert process.cpu_seconds(worker) - before < 0.5
    for wire in crowd:
        wire.close()

    def serves():
        try:
            with front.session() as wire:
                return wire.command(b"NOOP").status.startswith(b"OK")
        except (OSError, AssertionError):  # the crowd that waits to be accepted is as good as the next client
            return False
    wait_for(serves, "a later session")
    assert session.command(b"NOOP").status.startswith(b"OK")


def test_out_of_descriptors_at_login(guard, backend):
    """No descriptor for the backend is the backend's trouble: UNAVAILABLE, and the session stays."""
    # Exempt from limits: none of them has to make room for another.
    front = guard(backend().address, descriptors=64, access=[{"name": "us", "action": "allow", "limits": False}])
    first = front.secure()
    crowd = [front.connect() for _ in range(120)]
    crowd[0].line()
    status = first.command(b"LOGIN anna Geheim47").status
    assert status.startswith((b"NO [UNAVAILABLE]", b"OK"))
    for wire in crowd:
        wire.close()
    if status.startswith(b"NO"):
        wait_for(lambda: first.command(b"LOGIN anna Geheim47").status.startswith(b"OK"), "a login")


def test_the_sessions_of_a_worker_that_died_are_counted_in_the_log(guard, backend):
    front = guard(backend().address, workers=1)
    with front.session(), front.session(), front.plain():
        front.kill_worker(front.workers()[0])
        event = front.event("sessions-lost")
        assert (event["worker"], event["count"]) == ("0", "3")
    with front.session():
        pass
    front.stop()
    assert len(front.events("sessions-lost")) == 1, "a worker that was stopped has ended its sessions itself"


def test_address_in_use(guard, backend, binary):
    """A second one on the same ports says so and does not start."""
    front = guard(backend().address)
    done = run(binary, "-c", front.config, "-f")
    assert done.returncode == 1
    assert str(front.starttls_port).encode() in done.stdout


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_star_listens_on_both_families(guard, backend):
    front = guard(backend().address, listen="*")
    assert listening(front.starttls_port, "127.0.0.1")
    assert listening(front.starttls_port, "::1")


def test_the_thread_that_writes_the_log_has_no_privilege_and_no_signal(guard, backend):
    """It begins after its process has dropped all: what a thread has, no later call for another thread takes from it."""
    front = guard(backend().address)
    for pid in front.children():
        writer = wait_for(lambda pid=pid: process.log_writer(pid), "its writer")
        for field in "Uid", "Gid", "Groups", "CapEff", "NoNewPrivs":
            assert process.status(writer, field) == process.status(pid, field), field
        assert process.status(writer, "NoNewPrivs") == "1"
        blocked = int(process.status(writer, "SigBlk"), 16)
        assert all(blocked >> number - 1 & 1 for number in range(1, 32) if number not in (signal.SIGKILL, signal.SIGSTOP))


def test_daemon(guard, backend, binary, place):
    """Without -f it goes to the background, and the start has worked when the command returns."""
    front = guard(backend().address, log={"target": str(place / "daemon.log")})
    front.stop()
    done = run(binary, "-c", front.config)
    try:
        assert (done.returncode, done.stdout) == (0, b"")
        assert listening(front.starttls_port)
        _, daemon = wait_for(lambda: len(found := front.events("started")) == 2 and found, "its start")
        wait_for(lambda: all(map(process.log_writer, [daemon.pid, *process.children(daemon.pid)])), "a writer in each")
        os.kill(daemon.pid, signal.SIGTERM)
        wait_for(lambda: not process.named_with(front.config), "its end")
    finally:
        for pid in process.named_with(front.config):
            os.kill(pid, signal.SIGKILL)
