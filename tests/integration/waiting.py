"""Waiting with a deadline, and free ports: what every other helper stands on."""

import os
import random
import socket
import time

SANITIZED = os.environ.get("IMAPGUARD_SANITIZED") == "1"
PATIENCE = 30 if SANITIZED else 10


def wait_for(predicate, what, seconds=PATIENCE):
    """Poll until the predicate gives something true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


# pytest-xdist's workers: "gw0", "gw1" ... of so many. Each has ports of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
_given = set()


def free_port():
    """A port that nobody has bound or was given before, below those of outgoing connections."""
    while True:
        port = random.randrange(10000 + _WORKER, 32000, _WORKERS)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port


def listening(port, host="127.0.0.1"):
    """True when somebody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
