"""Time limits: each ends a session with a reason of its own, and no earlier than it says."""

import time

import pytest

from wire import Wire


def lasted(wire, action):
    begin = time.monotonic()
    action(wire)
    wire.rest()
    return time.monotonic() - begin


def nothing(_):
    """Wait only."""


def trickle_for_ever(wire):
    """Bytes that lead nowhere do not move the deadline of a login."""
    try:
        while True:
            wire.command(b"NOOP")
            time.sleep(0.1)
    except (AssertionError, OSError):
        pass


@pytest.mark.parametrize("layer", ["plain", "secure"])
@pytest.mark.parametrize("action", [nothing, trickle_for_ever])
def test_login_timeout(guard, backend, layer, action):
    front = guard(backend().address, limits={"login_timeout": "2s", "handshake_timeout": "1s"})
    with getattr(front, layer)() as wire:
        assert 1.5 < lasted(wire, action) < 5
    assert front.end_of(wire) == "login-timeout"


@pytest.mark.parametrize("listener", ["starttls", "implicit"])
@pytest.mark.parametrize("hello", [0, 50])
def test_handshake_timeout(guard, backend, listener, hello):
    """A peer that begins no handshake, or only half of one."""
    front = guard(backend().address, limits={"handshake_timeout": "1s", "login_timeout": "30s"})
    if listener == "starttls":
        wire = front.plain()
        assert wire.command(b"STARTTLS").status.startswith(b"OK ")
    else:
        wire = Wire(("127.0.0.1", front.implicit_port))
    with wire:
        assert 0.5 < lasted(wire, lambda wire: wire.socket.sendall(wire.hello()[:hello])) < 5
    assert front.end_of(wire) == "handshake-timeout"


def test_idle_timeout(guard, backend):
    """Nothing from either side; any byte begins it anew."""
    front = guard(backend().address, limits={"idle_timeout": "2s"})
    with front.session() as wire:
        for _ in range(3):
            time.sleep(1)
            assert wire.command(b"NOOP").status.startswith(b"OK")
        assert 1.5 < lasted(wire, nothing) < 5
    assert front.end_of(wire) == "idle-timeout"


def test_login_timeout_ends_with_the_login(guard, backend):
    front = guard(backend().address, limits={"login_timeout": "1s", "handshake_timeout": "1s"})
    with front.session() as wire:
        time.sleep(2)
        assert wire.command(b"NOOP").status.startswith(b"OK")
