"""Several backends: who goes where, what is passed over, and what happens when one dies."""

import os
import select
import shutil
import ssl
import tempfile
import time
from pathlib import Path

import pytest

from dovecot import TLSDovecot
from fakebackend import LegacyServer, closes, endless, obey, server_context, silent
from secrets_in_logs import MARKER, leaked, password
from waiting import wait_for
from wire import Wire

SESSIONS = 400  # about half of them at each of two backends
LIMITS = {"sessions": 2000, "connection_rate": "100000/1m"}
SHORT = {"connect_timeout": "1s", "login_timeout": "2s"}


def login(front, user, **options):
    """A login's answer, and the backend that it reached."""
    wire = front.secure(**options)
    status = wire.command(b"LOGIN " + user.encode() + b" " + MARKER.encode()).status
    found = front.event("login", rport=wire.port)["backend"] if status.startswith(b"OK") else None
    return status, found, wire


def two_fakes(backend, **options):
    return {name: backend(LegacyServer(**options)) for name in ("a", "b")}


def settings_of(fakes, **options):
    return [{"name": name, "address": fake.address, **SHORT, **options} for name, fake in fakes.items()]


def user_of(front, name):
    """A user who belongs to that backend."""
    for number in range(100):
        user = f"user{number}"
        if login(front, user)[1] == name:
            return user
    raise AssertionError(f"nobody belongs to {name}")


# --- a death -------------------------------------------------------------------------------------------------

@pytest.fixture
def two_dovecots(certificate, logs):
    users = {f"user{number}": password() for number in range(SESSIONS)}
    folders = [Path(tempfile.mkdtemp(prefix="imapguard-pair-")) for _ in range(2)]
    servers = []
    for folder in folders:
        folder.chmod(0o755)
        server = TLSDovecot(folder, certificate, users, extra="service imap {\n  process_limit = 2000\n}\n"
                            "service imap-login {\n  process_limit = 1000\n}\n")
        logs.append(server.log)
        servers.append(server.start())
    yield dict(zip("ab", servers))
    for server in servers:
        server.stop()
    for folder in folders:
        shutil.rmtree(folder)


def ends_of(wires, seconds):
    """When each connection ended, in seconds from now."""
    begin, waiting, ends = time.monotonic(), {wire.socket: wire for wire in wires}, []
    while waiting and time.monotonic() - begin < seconds:
        for ready in select.select(list(waiting), [], [], 0.1)[0]:
            if not waiting[ready]._fill():
                ends.append(time.monotonic() - begin)
                del waiting[ready]
    assert not waiting, f"{len(waiting)} sessions have not ended"
    return ends


def test_a_backend_that_is_killed_with_its_sessions(guard, two_dovecots):
    """The other's sessions do not notice, its own end one after the other, its users are served, and go back to it."""
    front = guard(None, limits=LIMITS, workers=2, backends=[
        {"name": name, "address": server.address, "check_interval": "1s", "check_fall": 2}
        for name, server in two_dovecots.items()])
    sessions = {"a": [], "b": []}
    for user in two_dovecots["a"].passwords:
        wire = front.secure()
        assert wire.command(f"LOGIN {user} {MARKER}".encode()).status.startswith(b"OK")
        sessions[user] = wire
    homes = {event["user"]: event["backend"] for event in front.events("login")}
    assert len(homes) == SESSIONS
    for user, name in homes.items():
        sessions[name].append(sessions[user])
    assert len(sessions["a"]) > SESSIONS // 3 and len(sessions["b"]) > SESSIONS // 3

    last = time.monotonic()
    wait_for(lambda: time.monotonic() - last > 1.5, "sessions that nobody has just said anything to")
    two_dovecots["a"].kill()
    ends = ends_of(sessions["a"], 15)
    assert max(ends) < 8 and max(ends) - min(ends) > 2, "they end one after the other, and soon"
    assert sorted(ends)[len(ends) // 2] > 0.5, "most of them not at once"
    for wire in sessions["b"]:
        assert wire.command(b"NOOP").status.startswith(b"OK")

    orphan = next(user for user, name in homes.items() if name == "a")
    neighbour = next(user for user, name in homes.items() if name == "b")
    begin = time.monotonic()
    assert login(front, orphan)[1] == "b" and time.monotonic() - begin < 2
    assert front.event("backend-down", backend="a")
    assert login(front, neighbour)[1] == "b"

    ups = len(front.events("backend-up", backend="a"))
    two_dovecots["a"].run()
    wait_for(lambda: len(front.events("backend-up", backend="a")) > ups, "the backend is back")
    assert login(front, orphan)[1] == "a"
    assert not front.events("login-unavailable") and not front.events("login-failed")


# --- who goes where -------------------------------------------------------------------------------------------

def test_a_user_stays_with_one_backend(guard, backend):
    """The same in every worker, whatever the case of the letters."""
    front = guard(None, workers=4, limits=LIMITS, backends=settings_of(two_fakes(backend)))
    homes = set()
    for number in range(12):
        found = {login(front, name)[1] for name in (f"user{number}", f"USER{number}", f"user{number}")}
        assert len(found) == 1
        homes |= found
    assert homes == {"a", "b"}


def test_routes_by_user_and_server_name(guard, backend):
    fakes = {name: backend() for name in ("org", "sni", "rest")}
    front = guard(None, backends=settings_of(fakes), limits={"login_delay": "100ms"}, routes=[
        {"users": ["*@example.org"], "backends": ["org"]},
        {"server_names": ["localhost"], "users": ["*@*"], "backends": ["sni"]},
        {"users": ["anna"], "backends": ["rest"]}])
    nameless = ssl.create_default_context()
    nameless.check_hostname, nameless.verify_mode = False, ssl.CERT_NONE
    assert login(front, "anna@example.org")[1] == "org"
    assert login(front, "ben@example.net")[1] == "sni"
    assert login(front, "anna")[1] == "rest"
    assert login(front, "anna@example.org", context=nameless, name=None)[1] == "org"

    status, _, wire = login(front, "ben@example.net", context=nameless, name=None)
    assert status.startswith(b"NO [AUTHENTICATIONFAILED]"), "who has no route is unknown"
    assert front.event("login-failed", rport=wire.port)["reason"] == "no-route"


def test_a_route_strips_the_domain(guard, backend):
    fake = backend()
    front = guard(None, backends=[{"name": "old", "address": fake.address}],
                  routes=[{"backends": ["old"], "strip_domain": True}])
    _, _, wire = login(front, "anna@example.org")
    assert fake.peer().login.user == b"anna"
    assert front.event("login", rport=wire.port)["user"] == "anna@example.org"


def test_a_backup_is_for_when_no_other_is_left(guard, backend):
    fakes = {name: backend() for name in ("a", "b", "backup")}
    front = guard(None, backends=settings_of(fakes), limits=LIMITS, routes=[{"backends": ["a", "b"], "backup": ["backup"]}])
    user = user_of(front, "a")
    fakes["a"].stop()
    assert login(front, user)[1] == "b"
    fakes["b"].stop()
    assert login(front, user)[1] == "backup"
    assert len(front.events("backend-down")) == 2


def test_max_sessions_are_never_exceeded_and_given_back(guard, backend):
    fakes = two_fakes(backend, after=obey)
    front = guard(None, workers=2, limits=LIMITS, backends=[
        {**item, "max_sessions": 2} for item in settings_of(fakes)])
    wires = []
    for number in range(4):
        status, _, wire = login(front, f"user{number}")
        assert status.startswith(b"OK")
        wires.append(wire)
    assert sorted(event["backend"] for event in front.events("login")) == ["a", "a", "b", "b"]
    status, _, refused = login(front, "user5")
    assert status.startswith(b"NO [UNAVAILABLE]")
    assert front.event("login-unavailable")["reason"] == "max-sessions"
    assert refused.command(b"NOOP").status.startswith(b"OK")
    assert not front.events("backend-down"), "it is full, not down"
    wires[0].close()
    front.end_of(wires[0])
    assert refused.command(b"LOGIN user5 " + MARKER.encode()).status.startswith(b"OK")


@pytest.mark.parametrize("port", ["143", "993"])
def test_with_no_backend_up_the_greeting_says_so(guard, backend, port):
    """Before a client asks its user for a password; and the service is back once a check has found a backend."""
    fake = backend(LegacyServer())
    front = guard(fake.address, backend_settings={"check_interval": "300ms", "check_fall": 1, "check_rise": 1, **SHORT})

    def greeting():
        wire = front.connect() if port == "143" else Wire(("127.0.0.1", front.implicit_port)).handshake(None, "localhost")
        with wire:
            return wire.line_or_end()
    front.event("backend-up")
    assert greeting().startswith(b"* OK ")
    fake.stop()
    front.event("backend-down")
    assert greeting() == b"* BYE [UNAVAILABLE] The mail server is down, try again later."
    front.event("disconnect", reason="backends-down")
    fake.start()
    wait_for(lambda: greeting().startswith(b"* OK "), "the backend's return")


def test_the_fault_of_one_login_takes_the_greeting_from_nobody(guard, backend):
    """It marks the backend down; only checks, which are for nobody, say that the service is down."""
    fake = backend(LegacyServer(), closes, LegacyServer())
    front = guard(fake.address, backend_settings={"check_interval": "1h", **SHORT})
    front.event("backend-up")
    assert login(front, "anna")[0].startswith(b"NO [UNAVAILABLE]")
    front.event("backend-down")
    assert login(front, "anna")[0].startswith(b"OK")


def test_one_of_two_backends_up_is_a_service(guard, backend):
    fakes = two_fakes(backend)
    front = guard(None, backends=settings_of(fakes, check_interval="300ms", check_fall=1))
    front.event("backend-up", backend="a")
    fakes["a"].stop()
    front.event("backend-down", backend="a")
    assert login(front, "anna")[0].startswith(b"OK")


# --- passing over ----------------------------------------------------------------------------------------------

def at_login(peer):
    """Ends the connection when the password has come."""
    peer.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    peer.line()


@pytest.mark.parametrize("fault", [closes, silent, endless, at_login])
def test_a_fault_is_passed_over_within_the_login(guard, backend, fault):
    """The client does not notice, and no backend gets the password twice."""
    fakes = two_fakes(backend)
    front = guard(None, backends=settings_of(fakes), limits=LIMITS)
    user = user_of(front, "a")
    before = len(fakes["b"].peers)
    fakes["a"].scripts = [fault]
    status, found, _ = login(front, user)
    assert (status.startswith(b"OK"), found) == (True, "b")
    assert len(fakes["b"].peers) == before + 1
    assert not front.events("login-unavailable")
    assert bool(front.events("backend-down")) == (fault is not at_login), "one login that breaks is no backend that is down"


def test_no_backend_gets_a_password_twice(guard, backend):
    fakes = two_fakes(backend)
    front = guard(None, backends=settings_of(fakes), limits=LIMITS)
    for fake in fakes.values():
        fake.scripts = [at_login]
    status, _, wire = login(front, "anna")
    assert status.startswith(b"NO [UNAVAILABLE]")
    for fake in fakes.values():
        assert len([peer for peer in fake.peers if leaked(peer.received.decode("latin1"))]) == 1
    assert front.event("login-unavailable", rport=wire.port)["reason"] == "connection-closed"


def test_a_wrong_password_is_asked_of_one_backend_only(guard, backend):
    fakes = two_fakes(backend, answer=b"NO Wrong.")
    front = guard(None, backends=settings_of(fakes), limits={**LIMITS, "login_delay": "100ms"})
    status, _, _ = login(front, "anna")
    assert status.startswith(b"NO [AUTHENTICATIONFAILED]")
    assert sum(len(fake.peers) for fake in fakes.values()) == 1


def test_a_backend_that_is_down_is_still_tried_when_there_is_no_other(guard, backend):
    fakes = two_fakes(backend)
    front = guard(None, backends=settings_of(fakes), limits=LIMITS)
    for fake in fakes.values():
        fake.stop()
    assert login(front, "anna")[0].startswith(b"NO [UNAVAILABLE]")
    assert len(front.events("backend-down")) == 2
    fakes["b"].start()
    assert login(front, "anna")[1] == "b"
    assert front.event("backend-up", backend="b")


# --- checks -----------------------------------------------------------------------------------------------------

CHECKED = {"check_interval": "1s", "check_rise": 2, "check_fall": 2, **SHORT}


def told(front):
    """What a client is told before its login."""
    with front.secure() as wire:
        return set(wire.command(b"CAPABILITY").untagged[0].decode().split()[1:])


MINIMUM = {"IMAP4rev1", "SASL-IR", "LITERAL-", "ID", "AUTH=PLAIN"}


def test_checks_find_a_backend_down_and_up(guard, backend):
    """Without a single login, and without ever trying one."""
    fake = backend()
    front = guard(fake.address, backend_settings=CHECKED)
    front.event("backend-up")
    said = b"guard-capability CAPABILITY\r\nguard-logout LOGOUT\r\n"
    wait_for(lambda: bytes(fake.peer().received) == said, f"a check that says {said}")
    fake.stop()
    assert front.event("backend-down")["reason"] == "connection-refused"
    assert len(front.events("check-failed")) == 2
    fake.start()
    wait_for(lambda: len(front.events("backend-up")) == 2, "the backend is up again")
    assert not any(peer.login for peer in fake.peers)


def test_clients_are_told_the_least_until_something_was_learned(guard, backend):
    fake = backend(silent, LegacyServer(capability=b"IMAP4rev1 IDLE MOVE AUTH=PLAIN AUTH=XOAUTH2 STARTTLS LITERAL+ XWEIRD"))
    front = guard(fake.address, backend_settings=CHECKED)
    fake.peer()
    assert told(front) == MINIMUM
    front.event("capabilities-learned")
    front.event("backend-up")
    assert told(front) == MINIMUM | {"IDLE", "MOVE", "AUTH=XOAUTH2"}


def test_what_a_server_can_do_is_asked_and_not_taken_from_its_greeting(guard, backend):
    """Cyrus greets with a short list."""
    fake = backend(LegacyServer(greeting=b"* OK [CAPABILITY IMAP4rev1 ID] short\r\n", capability=b"IMAP4rev1 ID IDLE MOVE"))
    front = guard(fake.address, backend_settings=CHECKED)
    front.event("capabilities-learned")
    assert told(front) == MINIMUM | {"IDLE", "MOVE"}


def test_a_check_goes_by_the_same_list_as_a_login(guard, backend, certificate):
    """A greeting with a list is all that a login reads: what it leaves out, no login finds."""
    fake = backend(LegacyServer(greeting=b"* OK [CAPABILITY IMAP4rev1] short\r\n", starttls=server_context(certificate)))
    front = guard(None, routes=[{"users": ["anna"], "backends": ["short"]}, {"backends": ["good"]}], backends=[
        {"name": "short", "address": fake.address, **CHECKED, "tls": "starttls", "ca_file": str(certificate.chain)},
        {"name": "good", "address": backend().address, **CHECKED}])
    assert front.event("backend-down")["reason"] == "no-starttls"
    assert login(front, "anna")[0].startswith(b"NO [UNAVAILABLE]")
    assert {event["reason"] for event in front.events("login-unavailable")} == {"no-starttls"}


def test_clients_are_told_what_all_backends_have(guard, backend):
    lists = {"a": b"IMAP4rev1 IDLE MOVE AUTH=LOGIN AUTH=XOAUTH2", "b": b"IMAP4rev1 MOVE UIDPLUS AUTH=LOGIN AUTH=CRAM-MD5"}
    fakes = {name: backend(LegacyServer(capability=text)) for name, text in lists.items()}
    front = guard(None, backends=settings_of(fakes, **CHECKED))
    front.event("capabilities-learned")
    assert told(front) == MINIMUM | {"MOVE", "AUTH=LOGIN"}


def test_a_configured_list_is_told_as_it_is(guard, backend):
    fake = backend()
    front = guard(fake.address, backend_settings=CHECKED, capabilities=["IMAP4rev1", "ID", "X-OURS"])
    front.event("backend-up")
    assert told(front) == {"IMAP4rev1", "ID", "X-OURS"}


def test_a_monitor_that_dies_is_started_again_and_nobody_notices(guard, backend):
    fake = backend(LegacyServer(capability=b"IMAP4rev1 IDLE"))
    front = guard(fake.address, backend_settings=CHECKED)
    front.event("capabilities-learned")
    wire = front.session()
    front.kill_worker(int(front.event("monitor-started")["pid"]))
    front.killed_workers -= 1
    assert front.event("monitor-died")["signal"] == "9"
    assert "IDLE" in told(front)
    wait_for(lambda: len(front.events("monitor-started")) == 2, "another monitor")
    assert wire.command(b"NOOP").status.startswith(b"OK")


# --- where they are ----------------------------------------------------------------------------------------------

def test_a_name_that_moves_is_followed(binary, guard, backend, place):
    """As in a container network, where the address behind a name changes; the hosts file of a mount namespace shows it."""
    if os.geteuid() != 0:
        pytest.skip("a mount namespace needs root")
    hosts = place / "hosts"
    hosts.write_text("127.0.0.2 moving.test\n")
    fake = backend()
    script = place / "in-namespace"
    script.write_text(f'#!/bin/sh\nmount --bind {hosts} /etc/hosts && exec {binary} "$@"\n')
    script.chmod(0o755)
    outer = place / "imapguard-moving"
    outer.write_text(f'#!/bin/sh\nexec unshare --mount {script} "$@"\n')
    outer.chmod(0o755)
    front = guard(f"moving.test:{fake.port}", program=outer, backend_settings={**SHORT, "resolve_interval": "1s"})
    assert login(front, "anna")[0].startswith(b"NO [UNAVAILABLE]"), "nobody listens at 127.0.0.2"
    hosts.write_text("127.0.0.1 moving.test\n")
    front.event("resolved")
    assert login(front, "anna")[0].startswith(b"OK")
    hosts.write_text("# gone\n")
    assert front.event("resolve-failed")["address"] == f"moving.test:{fake.port}"
    assert login(front, "anna")[0].startswith(b"OK"), "what was found last still holds"


# --- who the client is ---------------------------------------------------------------------------------------------

def client_address_in(log, user):
    """What Dovecot logged as the address of that user."""
    line = wait_for(lambda: next((text for text in log.read_text().splitlines()
                                  if "Login: " in text and f"user=<{user}>" in text), None), "the login in Dovecot's log")
    return line.partition("rip=")[2].partition(",")[0]


@pytest.mark.parametrize("way", ["v1", "v2", "id", "none"])
def test_the_backend_learns_the_clients_address(guard, tls_dovecot, certificate, way):
    """By PROXY header or by ID; and by neither it sees imapguard's own."""
    settings = {"none": {"forward_id": False}, "id": {}}.get(way, {"proxy_protocol": way, "tls": "starttls",
                                                                  "ca_file": str(certificate.chain)})
    port = tls_dovecot.proxied_port if way.startswith("v") else tls_dovecot.port
    front = guard(f"localhost:{port}", backend_settings={**settings, "check_interval": "1s"})
    front.event("backend-up")
    user = f"who-{way}"
    tls_dovecot.add_user(user, MARKER)
    wire = front.secure(source="127.0.1.77")
    wire.command(b'ID ("name" "test" "x-originating-ip" "192.0.2.1" "x-session-id" "forged")')
    assert wire.command(f"LOGIN {user} {MARKER}".encode()).status.startswith(b"OK")
    assert client_address_in(tls_dovecot.log, user) == ("127.0.0.1" if way == "none" else "127.0.1.77")


@pytest.mark.parametrize("way", ["v1", "v2"])
def test_a_dovecot_that_wants_tls_is_told_of_it(guard, certificate, logs, way):
    """disable_plaintext_auth, its default: only a header of version 2 can say that the client has TLS."""
    folder = Path(tempfile.mkdtemp(prefix="imapguard-strict-"))
    folder.chmod(0o755)
    server = TLSDovecot(folder, certificate, {"anna": MARKER}, trusted="192.0.2.0/24", extra="disable_plaintext_auth = yes\n")
    logs.append(server.log)
    server.start()
    try:
        front = guard(f"127.0.0.1:{server.proxied_port}", backend_settings={"proxy_protocol": way, "check_interval": "1s"})
        front.event("backend-up")
        with front.secure(source="127.0.1.77") as wire:
            status = wire.command(f"LOGIN anna {MARKER}".encode()).status
            assert status.startswith(b"OK" if way == "v2" else b"NO [UNAVAILABLE]"), status
            if way == "v2":
                assert wire.command(b"NOOP").status.startswith(b"OK")
                assert client_address_in(server.log, "anna") == "127.0.1.77"
            else:
                assert front.event("login-unavailable")["reason"] == "login-disabled"
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_no_client_can_have_its_id_refused(guard, tls_dovecot):
    """However much it says: the backend still learns where it is, and is not found to be down."""
    front = guard(tls_dovecot.address, backend_settings={"forward_id": True})
    tls_dovecot.add_user("chatty", MARKER)
    wire = front.secure(source="127.0.1.78")
    pairs = " ".join(f'"k{number}" "{"x" * 1000}"' for number in range(30))
    assert wire.command(f"ID ({pairs})".encode()).status.startswith(b"OK")
    assert wire.command(f"LOGIN chatty {MARKER}".encode()).status.startswith(b"OK")
    assert client_address_in(tls_dovecot.log, "chatty") == "127.0.1.78"


def was_told(fake):
    """Whether a login has told this server the client's address."""
    peer = wait_for(lambda: next((each for each in fake.peers if each.login), None), "a login")
    return peer.received.startswith(b"PROXY TCP4 ") or b' ID ("x-originating-ip"' in peer.received


class Proxied(LegacyServer):
    """Expects a PROXY header."""

    def __call__(self, peer):
        assert peer.line().startswith(b"PROXY ")
        super().__call__(peer)


LONG, ID_LONG = b"IMAP4rev1 AUTH=PLAIN", b"IMAP4rev1 ID AUTH=PLAIN"
HIDING = {
    "ID": (LegacyServer(capability=ID_LONG), {}, None),
    "no ID": (LegacyServer(capability=LONG), {}, "does not list ID"),
    "ID in the greeting alone": (LegacyServer(greeting=b"* OK [CAPABILITY IMAP4rev1 ID] hi\r\n", capability=LONG), {}, None),
    "ID behind the greeting alone": (LegacyServer(greeting=b"* OK [CAPABILITY IMAP4rev1] hi\r\n", capability=ID_LONG), {},
                                     "does not list ID"),
    "ID that is not used": (LegacyServer(capability=ID_LONG), {"forward_id": False}, "neither proxy_protocol nor forward_id"),
    "a PROXY header": (Proxied(capability=LONG), {"proxy_protocol": "v1", "forward_id": False}, None),
}


@pytest.mark.parametrize("case", HIDING)
def test_a_backend_that_takes_all_clients_for_one_is_warned_about(guard, backend, case):
    """Exactly when a login does not tell it the address; once, however often it is checked."""
    server, settings, reason = HIDING[case]
    fake = backend(server)
    front = guard(fake.address, backend_settings={**CHECKED, **settings})
    front.event("backend-up")
    assert login(front, "anna")[0].startswith(b"OK")
    assert was_told(fake) == (reason is None)
    wait_for(lambda: len(fake.peers) > 4, "more checks")
    hidden = front.events("client-address-hidden")
    assert len(hidden) == (reason is not None)
    assert all(event["backend"] == "legacy" and reason in event["reason"] for event in hidden)


def test_a_unix_socket_has_no_address_either(guard, backend, place):
    place.chmod(0o755)
    front = guard(backend(path=place / "imap.sock").address, backend_settings=CHECKED)
    assert "does not list ID" in front.event("client-address-hidden")["reason"]


def test_a_backend_that_takes_all_clients_for_one_without_checks(guard, backend):
    """What the options say needs no check; what only the server could say is not known."""
    fakes = {name: backend() for name in ("with", "without")}
    front = guard(None, backends=[{"name": name, "address": fake.address, "forward_id": name == "with"}
                                  for name, fake in fakes.items()])
    front.event("client-address-hidden", backend="without")
    assert login(front, "anna")[0].startswith(b"OK")
    assert not front.events("client-address-hidden", backend="with")


def test_a_backend_that_loses_and_finds_its_id_is_warned_about_again(guard, backend):
    has, has_not = LegacyServer(capability=ID_LONG), LegacyServer(capability=LONG)
    fake = backend(has_not, has_not, has, has, has_not)
    front = guard(fake.address, backend_settings=CHECKED)
    wait_for(lambda: len(fake.peers) > 5, "six checks")
    assert len(front.events("client-address-hidden")) == 2


def test_id_passes_without_what_only_a_proxy_may_say(guard, backend):
    fake = backend(LegacyServer(capability=b"IMAP4rev1 ID AUTH=PLAIN", greeting=b"* OK ready\r\n"))
    front = guard(fake.address, backend_settings={"forward_id": True})
    wire = front.secure()
    wire.command(b'ID ("name" "te\\"st" "X-Originating-IP" "192.0.2.1" "x-proxy-ttl" "9" "version" NIL "os" "x y")')
    assert wire.command(b"LOGIN anna " + MARKER.encode()).status.startswith(b"OK")
    sent = bytes(fake.peer().received).split(b"\r\n")
    assert sent[1] == (f'guard-id ID ("x-originating-ip" "127.0.0.1" "x-originating-port" "{wire.port}" "x-connected-ip" '
                       f'"127.0.0.1" "x-connected-port" "{front.implicit_port}" "x-proxy-ttl" "5" "name" "te\\"st" '
                       '"os" "x y")').encode()
