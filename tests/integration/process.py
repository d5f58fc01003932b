"""Processes that a test starts: their output goes to a file, and they end with the test."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from waiting import wait_for


class Process:
    """A child in a session of its own, so that a Ctrl-C at the terminal ends it through its owner only."""

    def __init__(self, argv, output, **popen):
        self.output = Path(output)
        with open(self.output, "ab") as sink:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                start_new_session=True, **popen)
        self.pid = self.child.pid

    def text(self):
        return self.output.read_text(errors="backslashreplace")

    def running(self):
        return self.child.poll() is None

    def stop(self, number=signal.SIGTERM):
        """Ask it to end, and return its exit status; one that does not end is a failure."""
        try:
            if self.running():
                self.child.send_signal(number)
            return self.wait()
        finally:
            self.kill()

    def wait(self):
        """Its exit status, once it has ended."""
        wait_for(lambda: not self.running(), f"the end of process {self.pid}")
        return self.child.returncode

    def kill_session(self):
        """SIGKILL to it and to all that it has started."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if os.getsid(int(entry.name)) == self.pid:
                    os.kill(int(entry.name), signal.SIGKILL)
        self.child.wait()

    def kill(self):
        if self.running():
            self.child.kill()
        self.child.wait()


def children(pid):
    """The direct children of a process."""
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listing.read_text().split()]


def named_with(argument):
    """Processes that have this on their command line."""
    word = os.fsencode(argument)
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if word in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def alive(pid):
    """True for a process that exists and is no zombie."""
    try:
        return status(pid, "State")[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def status(pid, field):
    """One field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise KeyError(field)


def resident_kib(pid, peak=False):
    """Resident memory now, or the most there was since forget_peak(), or since the start."""
    return int(status(pid, "VmHWM" if peak else "VmRSS").split()[0])


def forget_peak(pid):
    """Only root may do it to a process that is not dumpable; for others a peak includes the start's."""
    with contextlib.suppress(PermissionError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def pss_kib(pid):
    """The process's proportional share of memory: pages that are shared count once over all."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise KeyError("Pss")


def cpu_seconds(pid):
    """User and system time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def log_writer(pid):
    """The id of the thread that writes the log of that process, or None."""
    for task in Path(f"/proc/{pid}/task").glob("*/comm"):
        with contextlib.suppress(OSError):
            if task.read_text() == "imapguard-log\n":
                return int(task.parent.name)
    return None


def writing_log(pid):
    """Whether the process is about to write lines of its log."""
    try:
        writer = log_writer(pid)
        return writer is not None and status(writer, "State")[0] in "RD"
    except (OSError, KeyError):
        return False
