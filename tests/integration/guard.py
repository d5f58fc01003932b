"""imapguard under test: its configuration, its processes and its log."""

import os
import re
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import process
from secrets_in_logs import leaked
from waiting import free_port, listening, wait_for
from wire import Wire

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z imapguard\[(\d+)\]: (\S+)(?: (.*))?$")
PAIR = re.compile(r'([\w-]+)=("(?:[^"\\]|\\.)*"|\S*)')
SANITIZER = re.compile(r"(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:")


@dataclass(frozen=True)
class Event:
    """One line of the log."""
    pid: int
    name: str
    values: dict

    def __getitem__(self, key):
        return self.values[key]


def events_in(text):
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            values = {key: value[1:-1] if value.startswith('"') else value
                      for key, value in PAIR.findall(match[3] or "")}
            yield Event(int(match[1]), match[2], values)


def libconfig(value):
    """A Python value in the syntax of libconfig."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + " ".join(f"{key} = {libconfig(item)};" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)) and not any(isinstance(item, dict) for item in value):
        return "[ " + ", ".join(map(libconfig, value)) + " ]"
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(map(libconfig, value)) + " )"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


class Guard:
    """One imapguard with a starttls and an implicit listener before one backend."""

    def __init__(self, binary, place, backend, certificates, *, workers=1, tls=None, limits=None,
                 backend_settings=None, log=None, descriptors=None, listen="127.0.0.1", access=None, geoip=None,
                 listeners=None, backends=None, routes=None, capabilities=None, max_sessions=None, program=None):
        self.binary = program or binary
        self.certificates = certificates
        self.place = place
        self.descriptors = descriptors
        self.starttls_port, self.implicit_port = free_port(), free_port()
        self.settings = {
            "user": "nobody",
            "workers": workers,
            "listeners": [
                {"name": "imap", "address": f"{listen}:{self.starttls_port}", "tls": "starttls",
                 **(listeners or {})},
                {"name": "imaps", "address": f"{listen}:{self.implicit_port}", "tls": "implicit",
                 **(listeners or {})},
            ],
            "tls": {"certificates": [item.settings() for item in certificates], **(tls or {})},
            # A fake backend counts its connections: no test but those of the checks wants any.
            "backends": [{"check_interval": "0s", **item} for item in
                         backends or [{"name": "legacy", "address": backend, **(backend_settings or {})}]],
            # All clients of the tests have loopback addresses, and stand for clients of the Internet.
            "limits": {"login_delay": "1s", "private_addresses": "client", **(limits or {})},
            "log": {"target": "stderr", "level": "debug", **(log or {})},
        }
        if access is not None:
            self.settings["access"] = access
        for key, value in (("geoip", geoip), ("routes", routes), ("capabilities", capabilities),
                           ("max_sessions", max_sessions)):
            if value is not None:
                self.settings[key] = value
        self.config = place / f"imapguard-{self.starttls_port}.conf"
        self.output = place / f"imapguard-{self.starttls_port}.log"
        self.process = None
        self.killed_workers = 0

    # --- life ---

    def start(self):
        self.config.write_text("".join(f"{key} = {libconfig(value)};\n"
                                       for key, value in self.settings.items()))
        self.process = process.Process([self.binary, "-c", self.config, "-f"], self.output,
                                       preexec_fn=self._limit_descriptors)
        wait_for(self._ready, "imapguard's start")
        return self

    def _limit_descriptors(self):
        if self.descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def _ready(self):
        assert self.process.running(), f"imapguard ended at its start:\n{self.text()}"
        if self.settings["log"]["target"] == "syslog":
            return listening(self.starttls_port) and listening(self.implicit_port)
        started = self.events("worker-started")
        return self.events("started") and len(started) >= self.settings["workers"]

    def stop(self, number=signal.SIGTERM):
        """End it, and see that all of it has ended."""
        pids = self.children() if self.process.running() else []
        code = self.process.stop(number)
        wait_for(lambda: not any(map(process.alive, pids)), f"the end of the workers {pids}")
        return code

    def check(self):
        """What holds for every run: a clean end, no lost worker, no sanitizer report, no password."""
        if not self.process:
            return
        code = self.stop() if self.process.running() else self.process.child.returncode
        text = self.text()
        reports = SANITIZER.search(text)
        assert not reports, f"sanitizer report:\n{text[max(0, reports.start() - 500):]}"
        assert code == 0, f"imapguard ended with {code}:\n{text[-3000:]}"
        died = self.events("worker-died")
        assert len(died) == self.killed_workers, f"workers died: {died}"
        assert not leaked(text), "a password in the log:\n" + "\n".join(leaked(text))

    def destroy(self):
        """Whatever still runs ends now."""
        if self.process and self.process.running():
            pids = self.children()
            self.process.kill()
            for pid in filter(process.alive, pids):
                os.kill(pid, signal.SIGKILL)

    def children(self):
        """Its workers and its monitor."""
        return process.children(self.process.pid)

    def workers(self):
        started = [int(event["pid"]) for event in self.events("worker-started")]
        return [pid for pid in self.children() if pid in started]

    def kill_worker(self, pid):
        self.killed_workers += 1
        os.kill(pid, signal.SIGKILL)

    # --- clients ---

    def connect(self, **options):
        """A connection to the starttls listener, before its greeting."""
        return Wire(("127.0.0.1", self.starttls_port), **options)

    def plain(self, **options):
        """The same, after its greeting."""
        wire = self.connect(**options)
        greeting = wire.line()
        assert greeting.startswith(b"* OK "), greeting
        return wire

    def secure(self, context=None, name="localhost", **options):
        """A connection to the implicit listener, after its greeting."""
        wire = Wire(("127.0.0.1", self.implicit_port), **options).handshake(context, name)
        greeting = wire.line()
        assert greeting.startswith(b"* OK "), greeting
        return wire

    def session(self, user=b"anna", password=b"Geheim47", **options):
        """A session that has logged in."""
        wire = self.secure(**options)
        status = wire.command(b"LOGIN " + user + b" " + password).status
        assert status.startswith(b"OK"), status
        return wire

    # --- the log ---

    def _settle(self):
        """Wait until what has happened is in the log: each process has a thread that writes it."""
        if self.process and self.process.running():
            end = time.monotonic() + 1
            while any(map(process.writing_log, [self.process.pid, *self.children()])) and time.monotonic() < end:
                time.sleep(0.001)

    def text(self):
        """What imapguard said, in its log file too if it has one."""
        self._settle()
        target = self.settings["log"]["target"]
        files = [self.output, *sorted(self.place.glob(Path(target).name + "*"), reverse=True)]
        return "".join(path.read_text(errors="backslashreplace") for path in files)

    def events(self, name, **values):
        values = {key: str(value) for key, value in values.items()}
        return [event for event in events_in(self.text())
                if event.name == name and values.items() <= event.values.items()]

    def event(self, name, **values):
        """The first such event, once it is there."""
        return wait_for(lambda: self.events(name, **values), f"event {name} with {values}")[0]

    def end_of(self, wire):
        """The reason for which this client's session ended."""
        def ends():
            return [end for end in self.events("disconnect", rport=wire.port) if end["rip"] in wire.sources]
        return wait_for(ends, f"the end of {sorted(wire.sources)}:{wire.port}")[0]["reason"]


def guards(make, logs):
    """The body of a fixture that gives a way to start imapguards: make(...) makes one. They end with the test."""
    started = []

    def start(*arguments, **settings):
        this = make(*arguments, **settings)
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
