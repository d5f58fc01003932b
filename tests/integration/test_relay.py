"""After login: bytes go both ways unchanged, memory stays bounded, and no end loses anything."""

import random
import threading

import pytest

import process
from fakebackend import LegacyServer
from waiting import SANITIZED, wait_for

BODY = random.Random(47).randbytes(64 << 20)
KIB = 1024


def server(after):
    return LegacyServer(after=after)


def downloads(peer):
    """Send the body whenever asked."""
    while True:
        peer.line()
        peer.send(BODY)


def uploads(peer):
    """Take the body, and answer whether it was right."""
    peer.line()
    arrived = peer.take(len(BODY)) == BODY
    peer.send(b"yes\r\n" if arrived else b"no\r\n")
    peer.wait_rest()




@pytest.fixture
def growth(capsys):
    """Checks that a worker's memory, at its peak, grew by less than so many KiB during an action."""
    def check(pid, limit, action):
        before = process.resident_kib(pid)
        process.forget_peak(pid)
        result = action()
        grown = process.resident_kib(pid, peak=True) - before
        if SANITIZED:
            with capsys.disabled():
                print(f" (memory not judged under a sanitizer: {grown} KiB)", end=" ")
        else:
            assert grown < limit, f"the worker grew by {grown} KiB"
        return result
    return check


@pytest.mark.parametrize("listener", ["plain", "secure"])
def test_download_of_64_mib(guard, backend, growth, listener):
    front = guard(backend(server(downloads)).address)
    wire = getattr(front, listener)()
    if listener == "plain":
        wire.starttls()
    assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")

    def download():
        wire.send(b"now\r\n")
        return wire.take(len(BODY))

    assert growth(front.workers()[0], 1 * KIB, download) == BODY


def test_upload_of_64_mib(guard, backend, growth):
    front = guard(backend(server(uploads)).address)
    wire = front.session()

    def upload():
        wire.send(b"now\r\n" + BODY)
        return wire.line()

    assert growth(front.workers()[0], 1 * KIB, upload) == b"yes"


def stuffed(sent, stop):
    """Wait until a sender that counts in sent[0] gets no further."""
    last = [-1, 0]

    def stuck():
        if stop.wait(0.2):
            return True
        last[0], last[1] = last[1], sent[0]
        return last[0] == last[1] > 0

    wait_for(stuck, "a sender that is held up")


@pytest.mark.parametrize("direction", ["to the client", "to the backend"])
def test_slow_reader_bounds_memory(guard, backend, growth, direction):
    """Of what one side does not read, at most 128 KiB a session stay in the worker."""
    sessions = 16
    sent, stop = [0], threading.Event()
    block = bytes(64 * KIB)

    def stuff(peer):
        peer.line()
        while True:
            peer.socket.send(block)
            sent[0] += 1

    def ignore(peer):
        peer.line()
        stop.wait(60)

    front = guard(backend(server(stuff if direction == "to the client" else ignore)).address)
    wires = [front.session() for _ in range(sessions)]

    def stuff_from_here(wire):
        try:
            while True:
                wire.send(block)
                sent[0] += 1
        except OSError:
            pass

    def fill():
        for wire in wires:
            wire.send(b"now\r\n")
            if direction == "to the backend":
                threading.Thread(target=stuff_from_here, args=[wire], daemon=True).start()
        stuffed(sent, stop)

    growth(front.workers()[0], sessions * 128 + 512, fill)
    for wire in wires:
        wire.reset()
    stop.set()
    for wire in wires:
        front.end_of(wire)


def test_slow_reader_gets_everything(guard, backend):
    """Back-pressure and its release lose nothing."""
    front = guard(backend(server(downloads)).address)
    wire = front.session(receive_buffer=4096)
    wire.send(b"now\r\n")
    position = 0
    for size in (1, 10, 5000, 100_000, 1_000_000):
        assert wire.take(size) == BODY[position:position + size]
        position += size


def test_both_directions_at_once(guard, backend):
    """Neither direction waits for the other."""
    half = len(BODY) // 8
    result = []

    def crossing(peer):
        peer.line()
        thread = threading.Thread(target=peer.send, args=[BODY[:half]])
        thread.start()
        result.append(peer.take(half) == BODY[:half])
        thread.join()
        peer.send(b"done\r\n")
        peer.wait_rest()

    front = guard(backend(server(crossing)).address)
    wire = front.session()
    wire.send(b"now\r\n")
    position, received = 0, bytearray()
    while position < half:
        wire.send(BODY[position:position + 65536])
        position += 65536
        received += wire.take(65536)
    assert received == BODY[:half]
    assert wire.line() == b"done"
    assert result == [True]


@pytest.mark.parametrize("end", ["close_notify", "fin"])
def test_half_close_by_the_client(guard, backend, end):
    """The answer to a LOGOUT arrives although the client has closed its side behind it."""
    def says_goodbye(peer):
        request = peer.rest()
        peer.send(b"* BYE\r\nz OK got " + request.strip() + b"\r\n" + BODY[:1 << 20])

    front = guard(backend(server(says_goodbye)).address)
    wire = front.session()
    wire.send(b"z LOGOUT\r\n")
    getattr(wire, end)()
    assert wire.line() == b"* BYE"
    assert wire.line() == b"z OK got z LOGOUT"
    assert wire.rest() == BODY[:1 << 20]
    front.end_of(wire)


def test_half_close_by_the_backend(guard, backend):
    """What the backend sent before it closed arrives, and then a close_notify."""
    def sends_and_closes(peer):
        peer.line()
        peer.send(BODY[:4 << 20])

    front = guard(backend(server(sends_and_closes)).address)
    wire = front.session()
    wire.send(b"now\r\n")
    assert wire.rest() == BODY[:4 << 20]
    assert wire.end == "close_notify"
    front.end_of(wire)


def test_reset_by_the_backend_loses_nothing(guard, backend):
    """What imapguard read before the reset still arrives."""
    last = 1 << 15
    nearly_all_taken = threading.Event()

    def sends_and_resets(peer):
        peer.line()
        peer.send(BODY[:1 << 20])
        nearly_all_taken.wait(60)
        wait_for(peer.all_read, "the last bytes read by imapguard")
        peer.reset()

    front = guard(backend(server(sends_and_resets)).address)
    wire = front.session()
    wire.send(b"now\r\n")
    assert wire.take((1 << 20) - last) == BODY[:(1 << 20) - last]
    nearly_all_taken.set()
    assert wire.rest() == BODY[(1 << 20) - last:1 << 20]
    front.end_of(wire)


def test_reset_by_the_client_ends_the_backend(guard, backend):
    recording = backend(server(lambda peer: peer.wait_rest()))
    front = guard(recording.address)
    wire = front.session()
    wire.send(b"x NOOP\r\n")
    wait_for(lambda: b"x NOOP" in recording.peer().received, "the command at the backend")
    wire.reset()
    assert recording.peer().ended.wait(10)
    front.end_of(wire)


def test_bytes_are_counted(guard, backend):
    """The last line of a session says how much went through it after login, and for how long it lived."""
    front = guard(backend().address)
    with front.session() as wire:
        sent = b"a NOOP\r\n"
        wire.send(sent)
        received = len(wire.line()) + 2
        wire.close_notify()
        wire.rest()
    end = front.event("disconnect", rport=wire.port)
    assert int(end["in"]) >= len(sent) and int(end["out"]) >= received
    assert float(end["duration"]) >= 0
    assert end["session"] == front.event("login", rport=wire.port)["session"]
