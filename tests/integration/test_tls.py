"""The TLS that clients see: versions, certificates, ALPN, tickets, and what is never there."""

import ssl
import subprocess

import pytest

import certs
from tools import s_client
from waiting import wait_for
from wire import Wire, trusting

STARTTLS = ["-starttls", "imap"]


@pytest.fixture
def front(guard, backend):
    return guard(backend().address)


def port_and_options(front, listener):
    if listener == "starttls":
        return front.starttls_port, STARTTLS
    return front.implicit_port, []


@pytest.mark.parametrize("listener", ["starttls", "implicit"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_modern_versions(front, certificate, listener, version):
    only = getattr(ssl.TLSVersion, version)
    context = trusting(certificate, minimum_version=only, maximum_version=only)
    with front.plain().starttls(context) if listener == "starttls" else front.secure(context) as wire:
        assert wire.tls.version() == version.replace("_", ".")
        assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"OK")
    login = front.event("login", rport=wire.port)
    assert login["tls"] == version.replace("_", ".")
    assert login["cipher"] == wire.tls.cipher()[0]


@pytest.mark.parametrize("listener", ["starttls", "implicit"])
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(front, listener, version):
    port, options = port_and_options(front, listener)
    code, output = s_client(port, *options, version, "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0
    assert "alert protocol version" in output


def test_cleartext_on_the_tls_port_is_answered_in_its_language(guard, backend):
    """Of a client that speaks first, and of one that waits for a greeting."""
    front = guard(backend().address, limits={"handshake_timeout": "1s"})
    for said in b"a CAPABILITY\r\n", b"":
        with Wire(("127.0.0.1", front.implicit_port)) as wire:
            wire.send(said)
            assert wire.line_or_end() == b"* BYE This port needs TLS from the first byte."
    for reason in "cleartext-on-tls-port", "handshake-timeout":
        front.event("disconnect", reason=reason)


def test_the_log_says_that_a_client_does_not_trust_the_certificate(front):
    with pytest.raises(ssl.SSLError):
        front.secure(ssl.create_default_context())
    assert front.event("tls-failed")["reason"].startswith("the client does not trust the certificate")


def test_strict_minimum(guard, backend):
    front = guard(backend().address, tls={"min_version": "TLSv1.3"})
    assert "alert protocol version" in s_client(front.implicit_port, "-tls1_2")[1]
    assert s_client(front.implicit_port, "-tls1_3")[0] == 0


@pytest.mark.parametrize("cipher", [
    "AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "NULL", "aNULL"])
def test_ciphers_that_are_not_offered(guard, backend, rsa_certificate, cipher):
    """RSA key exchange, CBC, finite-field DH and the anonymous ones."""
    front = guard(backend().address, [rsa_certificate])
    code, output = s_client(front.implicit_port, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert code != 0
    assert "alert handshake failure" in output


def test_ecdsa_beside_rsa(guard, backend, certificate, rsa_certificate):
    """A client gets the certificate whose key type it knows."""
    front = guard(backend().address, [certificate, rsa_certificate])
    port = front.implicit_port
    assert "Peer signature type: ECDSA" in s_client(port, "-tls1_3")[1]
    assert "Peer signature type: RSA-PSS" in s_client(port, "-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")[1]
    for kind in ("ECDSA", "RSA"):
        cipher = f"ECDHE-{kind}-AES128-GCM-SHA256"
        assert cipher in s_client(port, "-tls1_2", "-cipher", cipher)[1]


def test_certificate_by_name(guard, backend, certificate, vault):
    """The name in the ClientHello chooses; the first certificate serves all others."""
    mail = certs.make(vault, "mail", names=("DNS:mail.example.org", "DNS:*.mail.example.org"))
    mail_rsa = certs.make(vault, "mail-rsa", names=("DNS:mail.example.org",), kind="rsa")
    front = guard(backend().address, [certificate, mail, mail_rsa])

    def subject(*options):
        output = s_client(front.implicit_port, *options)[1]
        return output.partition("subject=CN = ")[2].split()[0]

    assert subject("-servername", "mail.example.org") == "mail.example.org"
    assert subject("-servername", "MAIL.example.org") == "mail.example.org"
    assert subject("-servername", "a.mail.example.org") == "mail.example.org"
    assert subject("-servername", "localhost") == "localhost"
    assert subject("-servername", "unknown.example.org") == "localhost"
    assert subject("-noservername") == "localhost"
    rsa = ["-sigalgs", "rsa_pss_rsae_sha256"]
    assert subject("-servername", "mail.example.org", *rsa) == "mail.example.org"


@pytest.mark.parametrize("listener", ["starttls", "implicit"])
def test_alpn(front, listener):
    port, options = port_and_options(front, listener)
    assert "ALPN protocol: imap" in s_client(port, *options, "-alpn", "imap")[1]
    assert "ALPN protocol: imap" in s_client(port, *options, "-alpn", "http/1.1,imap")[1]
    assert "No ALPN negotiated" in s_client(port, *options)[1]
    code, output = s_client(port, *options, "-alpn", "http/1.1")
    assert code != 0
    assert "SSL alert number 120" in output


def test_no_renegotiation(front):
    asking = subprocess.Popen(
        ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{front.implicit_port}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with asking:
        greeting = b""
        while b"ready" not in greeting:
            greeting = asking.stdout.readline()
            assert greeting, "no greeting"
        asking.stdin.write(b"R\n")
        asking.stdin.flush()
        output = asking.stdout.read()
    assert b"RENEGOTIATING" in output
    assert b"no renegotiation" in output


def test_no_compression(front):
    assert "Compression: NONE" in s_client(front.implicit_port, "-tls1_2", "-comp")[1]


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_ticket_of_one_worker_resumes_on_another(guard, backend, certificate, version):
    front = guard(backend().address, workers=4)
    only = getattr(ssl.TLSVersion, version)
    context = trusting(certificate, minimum_version=only, maximum_version=only)
    with front.secure(context) as first:
        assert first.command(b"NOOP").status.startswith(b"OK ")
        session = first.tls.session
    assert session.has_ticket
    first_worker = front.event("connect", rport=first.port).pid

    def resumed_elsewhere():
        with Wire(("127.0.0.1", front.implicit_port)) as wire:
            wire.handshake(context, session=session)
            assert wire.tls.session_reused
        return front.event("connect", rport=wire.port).pid != first_worker

    wait_for(resumed_elsewhere, "a connection to another worker")


def test_no_tickets_when_switched_off(guard, backend):
    front = guard(backend().address, tls={"session_tickets": False})
    for version in ("-tls1_2", "-tls1_3"):
        output = s_client(front.implicit_port, version, data=b"a LOGOUT\n")[1]
        assert "TLS session ticket:" not in output


def test_failed_handshake_is_logged(front):
    with Wire(("127.0.0.1", front.implicit_port)) as wire:
        context = trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers("AES128-GCM-SHA256")
        with pytest.raises(ssl.SSLError):
            wire.handshake(context)
    front.event("tls-failed", rip="127.0.0.1", rport=wire.port)


def test_session_that_the_client_tears_down_in_tls(front):
    """close_notify is answered in kind."""
    with front.secure() as wire:
        wire.close_notify()
        wire.rest()
        assert wire.end == "close_notify"
