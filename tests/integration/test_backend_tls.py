"""TLS to the backend: verified, nothing believed from before it, and never a credential where something is wrong."""

import base64
import ssl
import subprocess

import pytest

import certs
from fakebackend import LegacyServer, closes, says, server_context, silent
from fault_rows import failed_login, marked_down
from secrets_in_logs import MARKER, leaked
from waiting import wait_for

LOGIN = b"LOGIN anna " + MARKER.encode()
SHORT = {"connect_timeout": "1s", "login_timeout": "2s"}
PENALTY = {"login_delay": "60s", "login_delay_max": "60s", "login_timeout": "120s"}
CAPABILITY = b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"
GREETING = b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"


@pytest.fixture(scope="module")
def wrong(tmp_path_factory, certificate):
    """Certificates with which something is wrong, by what that is."""
    folder = tmp_path_factory.mktemp("wrong")
    folder.chmod(0o755)
    return {
        "expired": certs.make_expired(folder),
        "early": certs.make_early(folder),
        "self-signed": certs.make(folder, "unknown"),
        "other name": certs.make(folder, "other", names=("DNS:mail.example.org",)),
        "unknown issuer": certs.make(folder, "issued", issuer=certs.make(folder, "issuer", names=("DNS:issuer",))),
        "for clients": certs.make(folder, "client", extensions=["extendedKeyUsage=clientAuth"]),
        "good": certificate,
    }


def at_starttls(answer, then=None):
    """A script that behaves up to STARTTLS and then says this, with the tag where it has {tag}."""
    def script(peer):
        peer.send(GREETING)
        tag, _, command = peer.line().partition(b" ")
        assert command == b"STARTTLS", command
        peer.send(answer.replace(b"{tag}", tag))
        if then:
            then(peer)
        peer.wait_rest()
    return script


def alert(context):
    """No version that both speak: a TLS alert in the handshake."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


# What the backend does, and the reason in the log.
STARTTLS_FAULTS = {
    "no greeting": (silent, "greeting-timeout"),
    "closed at once": (closes, "connection-closed"),
    "BYE": (says(b"* BYE Too busy.\r\n"), "bye"),
    "PREAUTH": (says(b"* PREAUTH Welcome root.\r\n"), "preauth"),
    "garbage": (says(b"\xff\xfe\x00\x01garbage\r\n"), "bad-byte"),
    "endless line": (says(b"* OK " + b"x" * 70000), "line-too-long"),
    "PREAUTH as a later line": (says(b"* OK ready\r\n* PREAUTH Welcome.\r\n"), "no-capabilities"),
    "stripped": (LegacyServer(), "no-starttls"),
    "stripped in the greeting": (says(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n"), "no-starttls"),
    "NO": (at_starttls(b"{tag} NO Not today.\r\n"), "starttls-refused"),
    "BAD": (at_starttls(b"{tag} BAD What?\r\n"), "starttls-refused"),
    "BYE instead": (at_starttls(b"* BYE Gone.\r\n"), "bye"),
    "no answer": (at_starttls(b""), "starttls-timeout"),
    "another tag": (at_starttls(b"zzz OK go on\r\n"), "starttls-injection"),
    "answered twice": (at_starttls(b"{tag} OK go on\r\n{tag} OK go on\r\n"), "starttls-injection"),
    "bytes before its OK": (at_starttls(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK go on\r\n"), "starttls-injection"),
    "bytes behind its OK": (at_starttls(b"{tag} OK go on\r\n* CAPABILITY IMAP4rev1\r\n"), "starttls-injection"),
    "a byte behind its OK": (at_starttls(b"{tag} OK go on\r\n\x16"), "starttls-injection"),
    "plaintext instead of TLS": (at_starttls(b"{tag} OK go on\r\n", lambda peer: (peer.take(1), peer.send(b"* OK x\r\n" * 9))),
                                 "tls-failed"),
    "closed instead of TLS": (at_starttls(b"{tag} OK go on\r\n", lambda peer: peer.fin()), "tls-closed"),
    "silent instead of TLS": (at_starttls(b"{tag} OK go on\r\n"), "tls-timeout"),
}


def attempt(front):
    """One login that must fail for no fault of the user's; the session stays."""
    wire = front.secure()
    assert wire.command(LOGIN).status.startswith(b"NO [UNAVAILABLE] ")
    assert wire.command(b"NOOP").status.startswith(b"OK ")
    return wire


def nothing_was_told(fake):
    for peer in fake.peers:
        assert not leaked(peer.received.decode("latin1")), bytes(peer.received)


@pytest.mark.parametrize("fault", STARTTLS_FAULTS)
def test_fault_before_tls_sends_no_credential(guard, backend, certificate, fault):
    script, reason = STARTTLS_FAULTS[fault]
    fake = backend(script, LegacyServer(starttls=server_context(certificate)))
    front = guard(fake.address.replace("127.0.0.1", "localhost"),
                  backend_settings={"tls": "starttls", "ca_file": str(certificate.chain), **SHORT}, limits=PENALTY)
    wire = attempt(front)
    failed_login(front, reason)
    marked_down(front, reason)
    nothing_was_told(fake)
    assert wire.command(LOGIN).status.startswith(b"OK")
    assert front.event("backend-up")


CERTIFICATE_FAULTS = {
    "expired": "certificate-expired",
    "early": "certificate-not-yet-valid",
    "self-signed": "certificate-self-signed",
    "unknown issuer": "certificate-not-trusted",
    "other name": "certificate-other-name",
    "for clients": "certificate-invalid",
}
TRUSTED = ("good", "expired", "early", "other name", "for clients")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("fault", CERTIFICATE_FAULTS)
def test_bad_certificate_sends_no_credential(guard, backend, wrong, tls, fault, place):
    trusted = place / "trusted.pem"
    trusted.write_bytes(b"".join(wrong[name].chain.read_bytes() for name in TRUSTED))
    fake = backend(LegacyServer(**{tls: server_context(wrong[fault])}), LegacyServer(**{tls: server_context(wrong["good"])}))
    front = guard(f"localhost:{fake.port}", backend_settings={"tls": tls, "ca_file": str(trusted), **SHORT}, limits=PENALTY)
    wire = attempt(front)
    assert failed_login(front, CERTIFICATE_FAULTS[fault])["said"].endswith(", " + fingerprint(wrong[fault]))
    marked_down(front, CERTIFICATE_FAULTS[fault])
    nothing_was_told(fake)
    assert wire.command(LOGIN).status.startswith(b"OK")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_alert_in_the_handshake(guard, backend, certificate, rsa_certificate, tls):
    fake = backend(LegacyServer(**{tls: alert(server_context(rsa_certificate))}),
                   LegacyServer(**{tls: server_context(certificate)}))
    front = guard(f"localhost:{fake.port}", limits=PENALTY, backend_settings={
        "tls": tls, "ca_file": str(certificate.chain), **SHORT})
    wire = attempt(front)
    failed_login(front, "tls-failed")
    marked_down(front, "tls-failed")
    nothing_was_told(fake)
    assert wire.command(LOGIN).status.startswith(b"OK")


IMPLICIT_FAULTS = {
    "plaintext": (says(b"* OK ready\r\n"), "tls-failed"),
    "closed": (closes, "tls-closed"),
    "silent": (silent, "tls-timeout"),
}


@pytest.mark.parametrize("fault", IMPLICIT_FAULTS)
def test_no_tls_where_it_should_be(guard, backend, certificate, fault):
    script, reason = IMPLICIT_FAULTS[fault]
    fake = backend(script, LegacyServer(implicit=server_context(certificate)))
    front = guard(f"localhost:{fake.port}", limits=PENALTY, backend_settings={
        "tls": "implicit", "ca_file": str(certificate.chain), **SHORT})
    wire = attempt(front)
    failed_login(front, reason)
    marked_down(front, reason)
    nothing_was_told(fake)
    assert wire.command(LOGIN).status.startswith(b"OK")


def test_a_self_signed_certificate_can_be_trusted_or_not_looked_at(guard, backend, wrong):
    for settings in ({"ca_file": str(wrong["self-signed"].chain)}, {"verify": False}):
        fake = backend(LegacyServer(implicit=server_context(wrong["self-signed"])))
        front = guard(f"localhost:{fake.port}", backend_settings={"tls": "implicit", **settings})
        assert front.secure().command(LOGIN).status.startswith(b"OK")
        assert bool(front.events("unverified-backend")) == ("verify" in settings)


def fingerprint(certificate, colons=False):
    """As OpenSSL prints it, with our prefix."""
    text = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", certificate.chain], check=True,
                          capture_output=True, text=True).stdout.partition("=")[2].strip()
    return "sha256:" + (text if colons else text.replace(":", "").lower())


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("name", ["self-signed", "expired", "early", "other name"])
def test_a_certificate_with_the_right_fingerprint_needs_nothing_else(guard, backend, wrong, tls, name):
    """Whatever its chain, its name and its dates are; also in the session that is resumed, and as one of several."""
    fake = backend(LegacyServer(**{tls: server_context(wrong[name])}))
    front = guard(f"127.0.0.1:{fake.port}", backend_settings={
        "tls": tls, "fingerprint": [fingerprint(wrong["good"]), fingerprint(wrong[name], colons=True)]})
    for _ in range(3):
        assert front.secure().command(LOGIN).status.startswith(b"OK")
    assert not front.events("unverified-backend")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_with_another_fingerprint_gets_no_credential(guard, backend, wrong, tls):
    """Even if all else is right with it. The log has the fingerprint to copy."""
    fake = backend(LegacyServer(**{tls: server_context(wrong["good"])}))
    settings = {"tls": tls, "fingerprint": [fingerprint(wrong["expired"])], **SHORT}
    front = guard(f"localhost:{fake.port}", backend_settings={**settings, "ca_file": str(wrong["good"].chain)}, limits=PENALTY)
    attempt(front)
    said = failed_login(front, "certificate-fingerprint")["said"]
    marked_down(front, "certificate-fingerprint")
    assert said == fingerprint(wrong["good"])
    nothing_was_told(fake)
    front = guard(f"localhost:{fake.port}", backend_settings={**settings, "fingerprint": [said]})
    assert front.secure().command(LOGIN).status.startswith(b"OK")


def test_an_address_is_verified_by_address_and_a_name_by_name(guard, backend, wrong):
    """The certificate of localhost has the address 127.0.0.1 too; the other one only its name, which can be asked for."""
    settings = {"tls": "implicit", "ca_file": str(wrong["good"].chain)}
    fake = backend(LegacyServer(implicit=server_context(wrong["good"])))
    assert guard(fake.address, backend_settings=settings).secure().command(LOGIN).status.startswith(b"OK")

    named = []
    context = server_context(wrong["other name"])
    context.sni_callback = lambda _, name, __: named.append(name)
    fake = backend(LegacyServer(implicit=context))
    settings = {"tls": "implicit", "ca_file": str(wrong["other name"].chain)}
    assert guard(fake.address, backend_settings=settings).secure().command(LOGIN).status.startswith(b"NO [UNAVAILABLE]")
    front = guard(fake.address, backend_settings={**settings, "server_name": "mail.example.org"})
    assert front.secure().command(LOGIN).status.startswith(b"OK")
    assert named == [None, "mail.example.org"], "an address is no name to ask for"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(guard, backend, certificate, version):
    resumed = []

    def script(peer):
        LegacyServer(implicit=context)(peer)
        resumed.append(peer.socket.session_reused)

    context = server_context(certificate)
    context.minimum_version = context.maximum_version = version
    fake = backend(script)
    front = guard(f"localhost:{fake.port}", backend_settings={"tls": "implicit", "ca_file": str(certificate.chain)})
    for number in range(3):
        with front.secure() as wire:
            assert wire.command(LOGIN).status.startswith(b"OK")
            wire.command(b"LOGOUT")
        wait_for(lambda: len(resumed) > number, "the end of the session at the backend")
    assert resumed == [False, True, True]


def test_a_client_certificate_is_shown(guard, backend, certificate, rsa_certificate):
    context = server_context(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(rsa_certificate.chain)
    fake = backend(LegacyServer(implicit=context))
    settings = {"tls": "implicit", "ca_file": str(certificate.chain), **SHORT}
    shown = {"certificate": str(rsa_certificate.chain), "key": str(rsa_certificate.key)}
    front = guard(f"localhost:{fake.port}", backend_settings={**settings, **shown})
    assert front.secure().command(LOGIN).status.startswith(b"OK")
    front = guard(f"localhost:{fake.port}", backend_settings=settings)
    assert front.secure().command(LOGIN).status.startswith(b"NO [UNAVAILABLE]")


def test_a_failure_that_is_not_the_certificates_is_not_blamed_on_it(guard, backend, certificate, rsa_certificate):
    """With verify = false: the server demands a client certificate, and ends the handshake after its own was accepted."""
    context = server_context(certificate)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(rsa_certificate.chain)
    fake = backend(LegacyServer(implicit=context))
    front = guard(fake.address, backend_settings={"tls": "implicit", "verify": False, **SHORT})
    attempt(front)
    failed_login(front, "tls-failed")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("legacy", [False, True])
def test_tls_1_0_only_where_it_is_allowed(guard, backend, rsa_certificate, legacy):
    context = server_context(rsa_certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    fake = backend(LegacyServer(implicit=context))
    front = guard(f"localhost:{fake.port}", backend_settings={
        "tls": "implicit", "ca_file": str(rsa_certificate.chain), "legacy_tls": legacy, **SHORT})
    assert front.secure().command(LOGIN).status.startswith(b"OK" if legacy else b"NO [UNAVAILABLE]")
    assert bool(front.events("legacy-backend")) == legacy


@pytest.mark.parametrize("method", [LOGIN, b"AUTHENTICATE PLAIN " + base64.b64encode(b"\0anna\0" + MARKER.encode())])
def test_a_server_that_demands_tls_gets_it(guard, strict_dovecot, certificate, method, logs):
    """Dovecot with ssl = required: without TLS nothing is tried."""
    logs.append(strict_dovecot.log)
    before = len(strict_dovecot.log.read_text())
    front = guard(strict_dovecot.address)
    wire = front.secure()
    assert wire.command(method).status.startswith(b"NO [UNAVAILABLE] ")
    failed_login(front, "login-disabled")
    marked_down(front, "login-disabled")
    assert "anna" not in strict_dovecot.log.read_text()[before:]
    front = guard(strict_dovecot.address, backend_settings={
        "tls": "starttls", "ca_file": str(certificate.chain), "server_name": "localhost"})
    assert front.secure().command(method).status.startswith(b"OK ")


def test_large_mail_passes_through_both_layers_of_tls(guard, backend, certificate):
    """Every byte, both ways, with backpressure in between."""
    size = 8 << 20

    def echo(peer):
        peer.line()
        data = peer.take(size)
        peer.send(data[::-1])
        peer.wait_rest()

    fake = backend(LegacyServer(starttls=server_context(certificate), after=echo))
    front = guard(f"localhost:{fake.port}", backend_settings={"tls": "starttls", "ca_file": str(certificate.chain)})
    wire = front.secure()
    assert wire.command(LOGIN).status.startswith(b"OK")
    body = bytes(range(256)) * (size // 256)
    wire.send(b"now\r\n" + body)
    assert wire.take(size) == body[::-1]


@pytest.mark.parametrize("end", ["fin", "reset"])
def test_an_end_of_the_backend_ends_the_client(guard, backend, certificate, end):
    fake = backend(LegacyServer(implicit=server_context(certificate), after=lambda peer: (peer.line(), getattr(peer, end)())))
    front = guard(f"localhost:{fake.port}", backend_settings={"tls": "implicit", "ca_file": str(certificate.chain)})
    wire = front.secure()
    assert wire.command(LOGIN).status.startswith(b"OK")
    wire.send(b"x NOOP\r\n")
    assert wire.rest() == b"" and wire.end == "close_notify"
