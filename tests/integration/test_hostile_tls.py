"""TLS records that a peer sends instead of mail: they cost its own session, and nobody else waits for them."""

import threading
import time

import pytest

import certs
import process
from fakebackend import LegacyServer, obey, silent
from guard import Guard
from hostile_tls import TLS12, TLS13, Flood, HostileClient, HostileContext
from waiting import SANITIZED, listening, wait_for
from wire import Wire

LOGIN = b"LOGIN anna Geheim47"
GREETING = b"* OK [CAPABILITY IMAP4rev1] ready\r\n"
KIB = 1024
BODY = bytes(range(256)) * (64 * KIB)
ROUNDS, NOOPS = 1500, 200
NOOP_LIMIT = 0.5 if SANITIZED else 0.2
STOP_LIMIT = 2 if SANITIZED else 0.5
FLOOD = 45_000  # records: a program that takes them all at once needs about half a second for it
SMALL_FLOOD = 5_000
FEW = 3

# The version, the records, how many of them, and the reasons that the log may give. OpenSSL itself takes no more than
# 5 warnings, 32 empty records, and no ticket from a client.
OURS, OPENSSL_OR_OURS = {"tls-flood"}, {"tls-flood", "tls-broken", "connection-closed", "client-reset", "backend-closed"}
ENDLESS_TO_OPENSSL = {
    "key updates": (TLS13, "key_update", FLOOD, OURS),
    "hellos": (TLS12, "client_hello", FLOOD, OURS),
    "tickets": (TLS13, "ticket", FLOOD * 3 // 2, OURS),
    "hello requests": (TLS12, "hello_request", FLOOD, OURS),
}
ENDED_BY_OPENSSL = {
    "empty records 1.2": (TLS12, "empty_record", SMALL_FLOOD, OPENSSL_OR_OURS),
    "empty records 1.3": (TLS13, "empty_record", SMALL_FLOOD, OPENSSL_OR_OURS),
    "warnings 1.2": (TLS12, "warning_alert", SMALL_FLOOD, OPENSSL_OR_OURS),
    "warnings 1.3": (TLS13, "warning_alert", SMALL_FLOOD, OPENSSL_OR_OURS),
    "a client's tickets 1.2": (TLS12, "ticket", FEW, OPENSSL_OR_OURS),
    "a client's tickets 1.3": (TLS13, "ticket", FEW, OPENSSL_OR_OURS),
}
FLOODS = ENDLESS_TO_OPENSSL | ENDED_BY_OPENSSL
FROM_CLIENTS = [kind for kind in FLOODS if kind not in ("tickets", "hello requests")]
FROM_BACKENDS = [kind for kind in FLOODS if kind != "hellos" and not kind.startswith("a client's")]
ENDLESS_FROM_CLIENTS, ENDLESS_FROM_BACKENDS = (
    [kind for kind in side if kind in ENDLESS_TO_OPENSSL] for side in (FROM_CLIENTS, FROM_BACKENDS))
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13], ids=["1.2", "1.3"])


def implicit(certificate, **settings):
    """The settings of a backend that speaks TLS from the start."""
    return {"tls": "implicit", "ca_file": str(certificate.chain), **settings}


def logged_in(front, version, **options):
    client = HostileClient(front, version, **options)
    assert client.command(LOGIN).status.startswith(b"OK")
    return client


def start_flood(end, kind, times=1, before=b""):
    _, name, count, _ = FLOODS[kind]
    make = getattr(end, name)
    return Flood(end, before + b"".join(make() for _ in range(times * count)))


class FloodingBackend:
    """A script that floods at some point of the talk."""

    def __init__(self, certificate, kind, at, times=1):
        self.certificate, self.kind, self.at, self.times = certificate, kind, at, times
        self._flood, self._answer = None, b""

    def __call__(self, peer):
        peer.start_tls(HostileContext(self.certificate, FLOODS[self.kind][0]))
        if self.at != "greeting":
            self._talk(peer)
        self._flood = start_flood(peer.socket, self.kind, self.times, before=self._answer)
        self._flood.wait()

    def _talk(self, peer):
        peer.send(GREETING)
        tag, _, command = peer.line().partition(b" ")
        if self.at == "relay":
            peer.send(tag + b" OK welcome\r\n")
        elif self.at == "goodbye":
            assert command == b"CAPABILITY", command
            # The answer is part of the flood: there would be no time to make it after the LOGOUT.
            self._answer = peer.socket.data(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")

    def flood(self):
        """The flood, once it has begun."""
        return wait_for(lambda: self._flood, "the flood")


# --- what holds in every flood ---

def slowest_noop(wire, lasts, seconds=3):
    """The longest wait of this session for the answer to a NOOP, while something lasts."""
    slowest, started = 0, time.monotonic()
    while (before := time.monotonic()) < started + 0.3 or (lasts() and before < started + seconds):
        assert wire.command(b"NOOP").status.startswith(b"OK")
        slowest = max(slowest, time.monotonic() - before)
    return slowest


def cpu_seconds_during(pid, seconds):
    before = process.cpu_seconds(pid)
    time.sleep(seconds)
    return process.cpu_seconds(pid) - before


def becomes_idle(pid):
    """It may have to read what the kernel still has."""
    wait_for(lambda: cpu_seconds_during(pid, 0.3) < 0.03, f"process {pid} without work")


def nobody_waits(front, watcher, lasts):
    """Another session is served while something lasts, and the worker is idle when it is over."""
    slowest = slowest_noop(watcher, lasts)
    assert slowest < NOOP_LIMIT, f"another session waited for {slowest:.2f} s"
    wait_for(lambda: not lasts(), "the end of the flood")
    becomes_idle(front.workers()[0])


def monitor_of(front):
    return next(pid for pid in front.children() if pid not in front.workers())


def stops_at_once(front):
    started = time.monotonic()
    assert front.stop() == 0
    took = time.monotonic() - started
    assert took < STOP_LIMIT, f"the end took {took:.2f} s"


# --- records without mail ---

@pytest.mark.parametrize("login", [False, True], ids=["before login", "after login"])
@pytest.mark.parametrize("kind", FROM_CLIENTS)
def test_flood_from_a_client(guard, backend, kind, login):
    version, _, _, reasons = FLOODS[kind]
    front = guard(backend().address)
    watcher = front.secure()
    client = logged_in(front, version) if login else HostileClient(front, version)
    flood = start_flood(client, kind)
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert front.end_of(client) in reasons
    flood.wait()


@pytest.mark.parametrize("kind", ENDLESS_FROM_CLIENTS)
def test_flood_while_a_login_waits_for_the_backend(guard, backend, kind):
    front = guard(backend(silent).address)
    watcher = front.secure()
    client = HostileClient(front, FLOODS[kind][0])
    client.send(b"a " + LOGIN + b"\r\n")
    flood = start_flood(client, kind)
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert front.end_of(client) == "tls-flood"


@pytest.mark.parametrize("kind", ENDLESS_FROM_CLIENTS)
def test_flood_behind_a_logout(guard, backend, kind):
    """A session that says goodbye still reads."""
    front = guard(backend().address)
    watcher = front.secure()
    client = HostileClient(front, FLOODS[kind][0])
    flood = start_flood(client, kind, before=client.data(b"a LOGOUT\r\n"))
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert front.end_of(client) == "logout"
    flood.wait()


@pytest.mark.parametrize("kind,at", [(kind, "greeting") for kind in ENDLESS_FROM_BACKENDS] +
                         [(kind, "login") for kind in FROM_BACKENDS])
def test_flood_from_a_backend_at_a_login(guard, backend, certificate, kind, at):
    script = FloodingBackend(certificate, kind, at)
    front = guard(f"localhost:{backend(script).port}", backend_settings=implicit(certificate))
    watcher, client = front.secure(), front.secure()
    client.send(b"a " + LOGIN + b"\r\n")
    flood = script.flood()
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert client.reply(b"a").status.startswith(b"NO [UNAVAILABLE]")
    assert front.event("login-unavailable")["reason"] in FLOODS[kind][3]
    flood.wait()


@pytest.mark.parametrize("kind", FROM_BACKENDS)
def test_flood_from_a_backend_in_the_relay(guard, backend, certificate, kind):
    script = FloodingBackend(certificate, kind, "relay")
    front = guard(f"localhost:{backend(script).port}", backend_settings=implicit(certificate))
    watcher, client = front.secure(), front.session()
    flood = script.flood()
    nobody_waits(front, watcher, lambda: not flood.is_over())
    reasons = FLOODS[kind][3]
    assert front.end_of(client) in reasons | {f"backend-{reason}" for reason in reasons}
    assert client.rest() == b""
    flood.wait()


@pytest.mark.parametrize("kind", FROM_BACKENDS)
def test_flooded_check_fails(guard, backend, certificate, kind):
    script = FloodingBackend(certificate, kind, "greeting")
    front = guard(f"localhost:{backend(script, silent).port}",
                  backend_settings=implicit(certificate, check_interval="1s", login_timeout="20s"))
    flood = script.flood()
    assert front.event("check-failed")["reason"] in FLOODS[kind][3]
    assert front.event("backend-down")["reason"] in FLOODS[kind][3]
    flood.wait()
    becomes_idle(monitor_of(front))


@pytest.mark.parametrize("at", ["greeting", "goodbye"])
@pytest.mark.parametrize("kind", ENDLESS_FROM_BACKENDS)
def test_monitor_stops_while_it_is_flooded(guard, backend, certificate, kind, at):
    script = FloodingBackend(certificate, kind, at, times=2)
    front = guard(f"localhost:{backend(script, silent).port}",
                  backend_settings=implicit(certificate, check_interval="1s", login_timeout="20s"))
    script.flood()
    stops_at_once(front)


class HandshakeFlood:
    """A script that answers a ClientHello with millions of HelloRequests, which a client in its handshake passes over."""

    def __init__(self):
        self._flood = None

    def __call__(self, peer):
        peer.take(1)
        record = b"\x16\3\3\0\4" + bytes(4)
        self._flood = Flood(peer, record * 5_000_000, drains=False)
        peer.rest()

    def flood(self):
        """The flood, once it has begun."""
        return wait_for(lambda: self._flood, "the flood")


def test_hello_requests_in_the_handshake_of_a_login(guard, backend, certificate):
    script = HandshakeFlood()
    front = guard(f"localhost:{backend(script, silent).port}", backend_settings=implicit(certificate, login_timeout="2s"))
    watcher, client = front.secure(), front.secure()
    client.send(b"a " + LOGIN + b"\r\n")
    flood = script.flood()
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert client.reply(b"a").status.startswith(b"NO [UNAVAILABLE]")
    assert front.event("login-unavailable")["reason"] in ("tls-timeout", "tls-flood", "tls-failed")


def test_monitor_stops_while_its_handshake_is_flooded(guard, backend, certificate):
    script = HandshakeFlood()
    front = guard(f"localhost:{backend(script, silent).port}",
                  backend_settings=implicit(certificate, check_interval="1s", login_timeout="20s"))
    flood = script.flood()
    wait_for(lambda: flood.sent > 4 << 20 or flood.is_over(), "a flood that the monitor is behind with, or its end")
    stops_at_once(front)


# --- what a session may do ---

@pytest.mark.parametrize("kind", ENDLESS_FROM_CLIENTS)
@pytest.mark.parametrize("login", [False, True], ids=["before login", "after login"])
def test_a_session_ends_after_32_records_without_data(guard, backend, kind, login):
    """What the client says with them is answered up to there."""
    version, name, _, _ = FLOODS[kind]
    front = guard(backend().address)

    def answered(count):
        client = logged_in(front, version) if login else HostileClient(front, version)
        flood = b"".join(getattr(client, name)() for _ in range(count))
        client.send_records(flood + client.data(b"t NOOP\r\n"))
        return client.line_or_end().startswith(b"t OK"), client

    assert answered(32)[0]
    was_answered, client = answered(33)
    assert not was_answered
    assert front.end_of(client) == "tls-flood"


@pytest.mark.parametrize("kind", ENDLESS_FROM_CLIENTS)
def test_data_makes_up_for_records_without_it(guard, backend, kind):
    version, name, _, _ = FLOODS[kind]
    front = guard(backend().address)
    client = HostileClient(front, version)
    client.send_records(b"".join(getattr(client, name)() + client.data(b"t NOOP\r\n") for _ in range(500)))
    for _ in range(500):
        assert client.line().startswith(b"t OK")


def test_a_flood_is_a_warning_in_the_log(binary, place, backend, certificate, logs):
    """It is written where the log says no more than warnings."""
    class QuietGuard(Guard):
        def _ready(self):
            return listening(self.starttls_port)

    front = QuietGuard(binary, place, backend().address, [certificate], log={"level": "warning"})
    logs.append(front.output)
    try:
        front.start()
        client = HostileClient(front, TLS13)
        client.send_records(b"".join(client.key_update() for _ in range(40)))
        assert front.end_of(client) == "tls-flood"
        front.check()
    finally:
        front.destroy()


def test_floods_are_charged_to_the_network(guard, backend):
    """As failed logins are: more of them than login_failures are a ban, of which a password is not asked."""
    front = guard(backend().address, limits={"login_failures": "2/10m"})
    for _ in range(3):
        client = HostileClient(front, TLS13)
        client.send_records(b"".join(client.key_update() for _ in range(40)))
        assert front.end_of(client) == "tls-flood"
    assert front.event("banned", network="127.0.0.1")
    with front.connect() as wire:
        assert not wire.rest()


@pytest.mark.parametrize("login", [False, True], ids=["before login", "after login"])
def test_a_few_key_updates_of_a_client(guard, backend, login):
    front = guard(backend().address)
    client = logged_in(front, TLS13) if login else HostileClient(front, TLS13)
    for number in range(1, 6):
        client.send_records(client.key_update(requested=True))
        assert client.command(b"NOOP").status.startswith(b"OK")
        assert client.key_updates_seen == number
    client.send_records(b"".join(client.key_update(requested=True) for _ in range(5)))
    assert client.command(b"NOOP").status.startswith(b"OK")
    assert client.key_updates_seen > 5


def test_a_few_key_updates_of_a_backend(guard, backend, certificate):
    """Before its greeting, before its answer to the login, and after it; tickets as well."""
    seen = []

    def script(peer):
        def rotate():
            server = peer.socket
            server.send_records(b"".join(server.key_update(requested=True) + server.ticket() for _ in range(5)))

        peer.start_tls(HostileContext(certificate, TLS13))
        rotate()
        peer.send(GREETING)
        tag = peer.line().partition(b" ")[0]
        rotate()
        peer.send(tag + b" OK welcome\r\n")
        rotate()
        tag = peer.line().partition(b" ")[0]
        peer.send(tag + b" OK done\r\n")
        peer.line()
        seen.append(peer.socket.key_updates_seen)

    front = guard(f"localhost:{backend(script).port}", backend_settings=implicit(certificate))
    client = front.session()
    assert client.command(b"NOOP").status.startswith(b"OK")
    client.send(b"go\r\n")
    wait_for(lambda: seen, "the end of the script")
    assert seen[0] >= 3


# --- replies to TLS itself, while the peer does not read ---

def wait_until_stuck(progress):
    """Wait until a count grows no more."""
    last = [0, time.monotonic()]

    def stuck():
        now = progress()
        if now != last[0]:
            last[:] = now, time.monotonic()
        return now > 0 and time.monotonic() > last[1] + 0.3

    wait_for(stuck, "a sender that is held up")


def worker_sleeps(front):
    """It may have to read what the kernel still has, but it does not spin."""
    pid = front.workers()[0]
    wait_for(lambda: cpu_seconds_during(pid, 1) < 0.2, "a worker that sleeps while its peer does not read")


def wants_an_answer(end, version):
    """A record that TLS itself answers."""
    if version == TLS13:
        return end.key_update(requested=True)
    return end.client_hello() if isinstance(end, HostileClient) else end.hello_request()


class Download:
    """What a backend does after the login: it sends the body, and counts what the kernel takes of it."""

    def __init__(self):
        self.sent = 0

    def __call__(self, peer):
        peer.line()
        for at in range(0, len(BODY), 64 * KIB):
            peer.send(BODY[at:at + 64 * KIB])
            self.sent += 1
        obey(peer)


def stuck_download(front, version, download):
    """A client that has asked for the body and does not read."""
    client = logged_in(front, version, receive_buffer=64 * KIB)
    client.send(b"go\r\n")
    wait_until_stuck(lambda: download.sent)
    return client


@VERSIONS
def test_client_that_wants_answers_and_does_not_read(guard, backend, version):
    download = Download()
    front = guard(backend(LegacyServer(after=download)).address)
    client = stuck_download(front, version, download)
    client.send_records(b"".join(wants_an_answer(client, version) for _ in range(FEW)))
    worker_sleeps(front)
    assert client.take(len(BODY)) == BODY
    assert client.command(b"NOOP").status.startswith(b"OK")
    assert client.key_updates_seen > 0 or version == TLS12


@pytest.mark.parametrize("requested", [False, True], ids=["unanswered", "answered"])
def test_flood_of_a_client_that_does_not_read(guard, backend, requested):
    download = Download()
    front = guard(backend(LegacyServer(after=download)).address)
    watcher = front.secure()
    client = stuck_download(front, TLS13, download)
    flood = Flood(client, b"".join(client.key_update(requested) for _ in range(FLOOD)), drains=False)
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert front.end_of(client) == "tls-flood"


@VERSIONS
def test_client_that_wants_answers_and_does_not_read_before_login(guard, backend, version):
    """Replies and answers of TLS fill its buffers together."""
    front = guard(backend().address)
    client = HostileClient(front, version, receive_buffer=64 * KIB)
    client.send(b"t NOOP\r\n")
    reply = client.line() + b"\r\n"
    talk = b"".join(client.data(b"t NOOP\r\n" * NOOPS) + wants_an_answer(client, version) for _ in range(ROUNDS))
    flood = Flood(client, talk, drains=False)
    wait_until_stuck(lambda: flood.sent)
    worker_sleeps(front)
    expected = reply * NOOPS * ROUNDS
    assert client.take(len(expected)) == expected
    assert client.command(b"NOOP").status.startswith(b"OK")
    assert client.key_updates_seen > 0 or version == TLS12


@VERSIONS
def test_backend_that_wants_answers_and_does_not_read(guard, backend, certificate, version):
    wants, reads = threading.Event(), threading.Event()

    def upload(peer):
        peer.line()
        wants.wait()
        peer.socket.send_records(b"".join(wants_an_answer(peer.socket, version) for _ in range(FEW)))
        reads.wait()
        peer.send(b"yes\r\n" if peer.take(len(BODY)) == BODY else b"no\r\n")
        obey(peer)

    fake = backend(LegacyServer(implicit=HostileContext(certificate, version), after=upload))
    front = guard(f"localhost:{fake.port}", backend_settings=implicit(certificate))
    client = logged_in(front, TLS13)
    client.send(b"go\r\n")
    flood = Flood(client, client.data(BODY), drains=False)
    wait_until_stuck(lambda: flood.sent)
    wants.set()
    worker_sleeps(front)
    reads.set()
    assert client.line() == b"yes"
    assert client.command(b"NOOP").status.startswith(b"OK")
    assert fake.peer().socket.key_updates_seen > 0 or version == TLS12


# --- records of one octet ---

def taken_by(end, size):
    """Read in a thread; returns where the data will be."""
    result = []

    def read():
        result.append(end.take(size))

    threading.Thread(target=read, daemon=True).start()
    return result


@VERSIONS
def test_commands_in_one_octet_records(guard, backend, version):
    front = guard(backend().address)
    watcher, client = front.secure(), HostileClient(front, version)
    client.send(b"t NOOP\r\n")
    reply = client.line() + b"\r\n"
    count = FLOOD // len(b"t NOOP\r\n")
    taken = taken_by(client, count * len(reply))
    Flood(client, client.one_octet_records(b"t NOOP\r\n" * count), drains=False)
    nobody_waits(front, watcher, lambda: not taken)
    assert taken == [reply * count]


@VERSIONS
def test_upload_in_one_octet_records(guard, backend, version):
    def upload(peer):
        peer.send(b"yes\r\n" if peer.take(FLOOD) == BODY[:FLOOD] else b"no\r\n")
        obey(peer)

    front = guard(backend(LegacyServer(after=upload)).address)
    watcher, client = front.secure(), logged_in(front, version)
    taken = taken_by(client, 5)
    Flood(client, client.one_octet_records(BODY[:FLOOD]), drains=False)
    nobody_waits(front, watcher, lambda: not taken)
    assert taken == [b"yes\r\n"]


@VERSIONS
def test_download_in_one_octet_records(guard, backend, certificate, version):
    def download(peer):
        peer.line()
        peer.socket.send_records(peer.socket.one_octet_records(BODY[:FLOOD]))
        obey(peer)

    fake = backend(LegacyServer(implicit=HostileContext(certificate, version), after=download))
    front = guard(f"localhost:{fake.port}", backend_settings=implicit(certificate))
    watcher, client = front.secure(), front.session()
    client.send(b"go\r\n")
    taken = taken_by(client, FLOOD)
    nobody_waits(front, watcher, lambda: not taken)
    assert taken == [BODY[:FLOOD]]


@VERSIONS
def test_greeting_in_one_octet_records(guard, backend, certificate, version):
    def script(peer):
        peer.start_tls(HostileContext(certificate, version))
        peer.socket.send_records(peer.socket.one_octet_records(GREETING[:-2] + b"x" * 60_000 + b"\r\n"))
        tag = peer.line().partition(b" ")[0]
        peer.send(tag + b" OK welcome\r\n")
        peer.rest()

    front = guard(f"localhost:{backend(script).port}", backend_settings=implicit(certificate))
    watcher, client = front.secure(), front.secure()
    client.send(b"a " + LOGIN + b"\r\n")
    taken = taken_by(client, 4)
    nobody_waits(front, watcher, lambda: not taken)
    assert taken == [b"a OK"]


# --- large handshakes ---

@pytest.fixture(scope="module")
def large_certificates(vault, certificate):
    """The certificate of localhost, in front of others that say nothing about it: about 16 and 90 KiB."""
    names = tuple(f"DNS:{number:04d}.padding.example.org" for number in range(550))
    padding = certs.make(vault, "padding", names=names)
    made = {}
    for size, count in ((16, 1), (90, 6)):
        chain = vault / f"chain-{size}.pem"
        chain.write_bytes(certificate.chain.read_bytes() + padding.chain.read_bytes() * count)
        made[size] = certs.Certificate(chain, certificate.key)
    return made


@pytest.mark.parametrize("size,one_octet", [(16, False), (90, False), (16, True), (90, True)],
                         ids=["16 KiB", "90 KiB", "16 KiB in one-octet records", "90 KiB in one-octet records"])
@VERSIONS
def test_backend_with_large_certificates(guard, backend, certificate, large_certificates, version, size, one_octet):
    """Of one-octet records a program may take or refuse so many: then it says so."""
    fake = backend(LegacyServer(implicit=HostileContext(large_certificates[size], version, one_octet)))
    front = guard(f"localhost:{fake.port}", backend_settings=implicit(certificate, login_timeout="20s"))
    watcher, client = front.secure(), front.secure()
    client.send(b"a " + LOGIN + b"\r\n")
    taken = taken_by(client, 4)
    nobody_waits(front, watcher, lambda: not taken)
    assert taken in ([b"a OK"], [b"a NO"]) if one_octet else taken == [b"a OK"]
    assert taken == [b"a OK"] or front.event("login-unavailable")


def test_hello_in_one_octet_records(guard, backend):
    """A ClientHello of the greatest size that OpenSSL takes."""
    size = 131_000
    front = guard(backend().address)
    watcher = front.secure()
    client = Wire(("127.0.0.1", front.implicit_port))
    message = b"\1" + size.to_bytes(3, "big") + bytes(size)
    flood = Flood(client, b"".join(b"\x16\3\1\0\1" + message[at:at + 1] for at in range(len(message))))
    nobody_waits(front, watcher, lambda: not flood.is_over())
    assert front.end_of(client) in ("tls-failed", "tls-flood")
