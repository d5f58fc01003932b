"""A backend's certificate by its fingerprint, with real Dovecots whose certificates are what old servers have."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import certs
from dovecot import TLSDovecot
from fakebackend import LegacyServer, server_context
from guard import libconfig
from secrets_in_logs import MARKER, leaked, password
from test_backend_tls import fingerprint
from waiting import wait_for

LOGIN = b"LOGIN anna " + MARKER.encode()
USERS = {"anna": password()}


@pytest.fixture(scope="module")
def old_servers(tmp_path_factory):
    """Dovecots by what is wrong with their certificates, none of which any authority has signed."""
    vault = tmp_path_factory.mktemp("old")
    vault.chmod(0o755)
    made = {"self-signed": certs.make(vault, "old", names=("DNS:old.example.org",)),
            "expired": certs.make_expired(vault)}
    folders, servers = [], {}
    try:
        for name, certificate in made.items():
            folders.append(Path(tempfile.mkdtemp(prefix="imapguard-old-")))
            folders[-1].chmod(0o755)
            server = TLSDovecot(folders[-1], certificate, USERS)
            server.certificate = certificate
            servers[name] = server
            server.start()
        yield servers
    finally:
        for server, folder in zip(servers.values(), folders):
            if server.process:
                server.stop()
            shutil.rmtree(folder)


def address_of(server, tls):
    return f"127.0.0.1:{server.tls_port if tls == 'implicit' else server.port}"


def login(front):
    with front.secure() as wire:
        return wire.command(b"LOGIN anna " + USERS["anna"].encode()).status


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("name", ["self-signed", "expired"])
def test_the_refusal_shows_what_makes_the_server_usable(guard, old_servers, certificate, logs, name, tls):
    """An administrator starts without fingerprint, copies what the log shows, and is done; a wrong one is refused."""
    server = old_servers[name]
    logs.append(server.log)
    wanted, other = fingerprint(server.certificate), fingerprint(certificate)

    front = guard(address_of(server, tls), backend_settings={"tls": tls})
    assert login(front).startswith(b"NO [UNAVAILABLE]")
    said = front.event("login-unavailable")["said"]
    assert said.endswith(", " + wanted)

    front = guard(address_of(server, tls), backend_settings={"tls": tls, "fingerprint": [other]})
    assert login(front).startswith(b"NO [UNAVAILABLE]")
    assert front.event("login-unavailable", reason="certificate-fingerprint")["said"] == wanted

    front = guard(address_of(server, tls), backend_settings={
        "tls": tls, "fingerprint": [other, said.rpartition(" ")[2]]})
    for _ in range(3):
        assert login(front).startswith(b"OK"), "the first handshake, and those that resume its session"


def test_a_check_that_finds_the_wrong_certificate_shows_its_fingerprint(guard, old_servers, certificate):
    """Before anybody has tried to log in."""
    server = old_servers["expired"]
    settings = {"tls": "implicit", "check_interval": "1s"}
    front = guard(address_of(server, "implicit"), backend_settings=settings)
    assert front.event("backend-down")["said"].endswith(", " + fingerprint(server.certificate))
    front = guard(address_of(server, "implicit"), backend_settings={
        **settings, "fingerprint": [fingerprint(certificate)]})
    assert front.event("backend-down", reason="certificate-fingerprint")["said"] == fingerprint(server.certificate)


def test_a_session_of_a_refused_certificate_is_never_resumed(guard, backend, certificate, rsa_certificate):
    """The server would resume it: each attempt is refused anew, and none sends a credential."""
    settings = {"tls": "implicit", "fingerprint": [fingerprint(certificate)], "login_timeout": "2s"}
    wrong = server_context(rsa_certificate)
    fake = backend(*(LegacyServer(implicit=wrong) for _ in range(3)))
    front = guard(fake.address, backend_settings=settings)
    for _ in range(3):
        with front.secure() as wire:
            assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE]")
    for peer in fake.peers:
        assert not leaked(peer.received.decode("latin1"))
    wait_for(lambda: len(front.events("login-unavailable", reason="certificate-fingerprint")) == 3, "three refusals")


@pytest.mark.parametrize("settings, wanted", [
    ({"tls": "none"}, "backends.[0].fingerprint: "),
    ({"tls": "implicit", "verify": False}, "backends.[0].verify: "),
    ({"tls": "implicit", "fingerprint": ["sha256:1234"]}, "backends.[0].fingerprint.[0]: "),
])
def test_what_contradicts_a_fingerprint_is_an_error(guard, backend, binary, certificate, settings, wanted):
    """Above all no TLS, where nothing would be verified."""
    front = guard(backend().address)
    front.settings["backends"][0].update({"fingerprint": [fingerprint(certificate)], **settings})
    front.config.write_text("".join(f"{key} = {libconfig(value)};\n" for key, value in front.settings.items()))
    result = subprocess.run([binary, "-t", "-c", front.config], capture_output=True, text=True)
    assert result.returncode == 1 and wanted in result.stderr, result.stderr
