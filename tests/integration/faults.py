"""Faults for a running imapguard: the Python side of tests/faults/faults.c, and a Guard that runs under it."""

import contextlib
import errno
import mmap
import os
import struct
import subprocess
import time
from pathlib import Path

import process
from guard import Guard, libconfig
from waiting import PATIENCE, wait_for

# The order and the layout are those of faults.c.
CALLS = ("malloc", "read", "write", "writev", "send", "sendto", "sendmsg", "recv", "recvfrom", "accept4", "accept",
         "connect", "socket", "epoll_ctl", "epoll_wait", "mmap", "fork", "pthread_create", "open")
SHORT, LOOP, BLOCK, STALL, COUNT = ACTIONS = ("short", "loop", "block", "stall", "count")
HEAD = struct.Struct("=iiqq")
SLOT = struct.Struct("=iiiiiiiiiiQQQ")
FAIL = 1
ANY, NEXT_CHILD = 0, -1
EVER = 0x7fffffff


def build(folder):
    """The library, built into that folder."""
    source = Path(__file__).resolve().parent.parent / "faults" / "faults.c"
    library = Path(folder) / "faults.so"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


class Faults:
    """The control file that all processes of one imapguard have mapped."""

    def __init__(self, library, path):
        self.library, self.path = library, Path(path)
        self.path.write_bytes(bytes(HEAD.size + SLOT.size * len(CALLS)))
        self.path.chmod(0o666)
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)

    def environment(self):
        return {**os.environ, "LD_PRELOAD": str(self.library), "IMAPGUARD_FAULTS": str(self.path)}

    def arm(self, call, what=errno.ENOMEM, pid=ANY, after=0, times=1, size=0, sockets=True, port=0, file=None):
        """Let `call` fail with the errno `what`, or do that action, after so many good calls and so many times.

        Smaller allocations, reads and writes than `size` are left alone, and so are descriptors that are no sockets, or
        have this port at neither end. With a file, all other files are: a disk hangs for `open`, `write` and `writev`.
        """
        status = os.stat(file) if file else None
        device, inode = (status.st_dev, status.st_ino) if file else (0, 0)
        offset = HEAD.size + SLOT.size * CALLS.index(call)
        action, number = (2 + ACTIONS.index(what), 0) if what in ACTIONS else (FAIL, what)
        SLOT.pack_into(self.map, offset, pid, 0, number, after, times, 0, 0, sockets and not file, port, 0,
                       size, device, inode)
        struct.pack_into("=i", self.map, offset + 4, action)
        struct.pack_into("=i", self.map, 0, 1)

    def shift(self, realtime=0., monotonic=0.):
        """Set the clocks so many seconds forward, from where they really are."""
        struct.pack_into("=iiqq", self.map, 0, 1, 0, int(realtime * 1e6), int(monotonic * 1e6))

    def disarm(self, call=None):
        """Everything works again; or this call alone."""
        if call:
            struct.pack_into("=i", self.map, HEAD.size + SLOT.size * CALLS.index(call) + 4, 0)
            return
        for offset in range(HEAD.size, len(self.map), SLOT.size):
            struct.pack_into("=i", self.map, offset + 4, 0)
        HEAD.pack_into(self.map, 0, 0, 0, 0, 0)

    def _slot(self, call):
        return SLOT.unpack_from(self.map, HEAD.size + SLOT.size * CALLS.index(call))

    def fired(self, call):
        """How often it has happened since the call was armed."""
        return self._slot(call)[5]

    def last_pid(self, call):
        """The process to which it happened last."""
        return self._slot(call)[6]

    def wait(self, call, times=1, seconds=PATIENCE):
        wait_for(lambda: self.fired(call) >= times, f"a failing {call}", seconds)

    @contextlib.contextmanager
    def armed(self, call, *args, **options):
        self.arm(call, *args, **options)
        try:
            yield self
        finally:
            self.disarm(call)


class FaultyGuard(Guard):
    """An imapguard whose calls can be made to fail: `faults` is its control file, `extra` has more options of the top."""

    def __init__(self, library, binary, place, *args, extra=None, **settings):
        super().__init__(binary, place, *args, **settings)
        self.faults = Faults(library, place / f"faults-{self.starttls_port}")
        self.settings.update(extra or {})
        self.killed_children = 0

    def start(self):
        self.config.write_text("".join(f"{key} = {libconfig(value)};\n" for key, value in self.settings.items()))
        self.process = process.Process([self.binary, "-c", self.config, "-f"], self.output,
                                       preexec_fn=self._limit_descriptors, env=self.faults.environment())
        wait_for(self._ready, "imapguard's start")
        return self

    def monitor(self):
        """The pid of the monitor, once there is one."""
        started = [int(event["pid"]) for event in self.events("monitor-started")]
        return next((pid for pid in self.children() if pid in started), None)

    def worker(self):
        """The pid of the only worker, once it runs."""
        return wait_for(self.workers, "a worker")[0]

    def check(self):
        self.faults.disarm()
        super().check()

    def destroy(self):
        self.faults.disarm()
        if self.process and self.process.running():
            self.process.kill_session()


def busy_seconds(pid):
    """Time that the process has run on a processor, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def spins(pid, seconds=0.5, most=0.1):
    """Whether a process is busy though nobody wants anything of it. A first look of 40 ms is enough for most."""
    for window in (0.03, seconds):
        before, begin = busy_seconds(pid), time.monotonic()
        time.sleep(window)
        used = busy_seconds(pid) - before
        if used <= most * window / seconds:
            return False
    return True
