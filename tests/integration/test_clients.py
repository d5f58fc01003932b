"""Real mail clients in front, the real legacy server behind."""

import imaplib
import re
import subprocess
import time

import pytest

from messages import message
from tools import curl
from wire import trusting


@pytest.fixture
def front(guard, dovecot):
    return guard(dovecot.address)


def url(front, scheme, path=""):
    port = front.starttls_port if scheme == "imap" else front.implicit_port
    return f"{scheme}://localhost:{port}/{path}"


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
@pytest.mark.parametrize("auth", ["AUTH=*", "AUTH=PLAIN"])
def test_curl(front, dovecot, account, certificate, place, scheme, auth):
    """List, upload and fetch."""
    options = ["--ssl-reqd", "--login-options", auth]
    text = message(1, 20_000)
    upload = place / "message.eml"
    upload.write_bytes(text)
    assert b"INBOX" in curl(certificate, url(front, scheme), account, *options)
    curl(certificate, url(front, scheme, "INBOX"), account, *options, "--upload-file", upload)
    assert curl(certificate, url(front, scheme, "INBOX;MAILINDEX=1"), account, *options) == text


def test_curl_refuses_a_wrong_certificate(front, rsa_certificate, account):
    with pytest.raises(AssertionError, match="certificate"):
        curl(rsa_certificate, url(front, "imap"), account, "--ssl-reqd")


@pytest.mark.parametrize("method", ["LOGIN", "PLAIN"])
@pytest.mark.parametrize("listener", ["starttls", "implicit"])
def test_imaplib(front, dovecot, account, certificate, listener, method):
    user, secret = account
    context = trusting(certificate)
    if listener == "starttls":
        client = imaplib.IMAP4("localhost", front.starttls_port)
        assert "LOGINDISABLED" in client.capabilities
        client.starttls(context)
    else:
        client = imaplib.IMAP4_SSL("localhost", front.implicit_port, ssl_context=context)
    if method == "LOGIN":
        client.login(user, secret)
    else:
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{secret}".encode())
    text = message(2, 50_000)
    client.create("Archive/2019")
    assert client.append("Archive/2019", r"(\Seen)", imaplib.Time2Internaldate(time.time()), text)[0] == "OK"
    assert client.select("Archive/2019") == ("OK", [b"1"])
    assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == text
    assert client.uid("STORE", "1", "+FLAGS", r"(\Flagged)")[0] == "OK"
    assert client.logout()[0] == "BYE"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_s_client(front, account, version):
    """A person with openssl at hand, who types ahead."""
    done = subprocess.run(
        ["openssl", "s_client", "-quiet", "-crlf", version, "-starttls", "imap",
         "-connect", f"127.0.0.1:{front.starttls_port}"],
        input="a LOGIN {} {}\nb LIST \"\" *\nc LOGOUT\n".format(*account).encode(),
        capture_output=True, timeout=30, check=True)
    answers = done.stdout.decode().splitlines()
    assert [line for line in answers if line.startswith("a OK")]
    assert [line for line in answers if re.match(r'\* LIST .* "?INBOX"?$', line)]
    assert [line for line in answers if line.startswith("c OK")]


def test_idle_hears_of_a_new_message(front, dovecot, account):
    """A client in IDLE is told at once; and leaves IDLE again."""
    user, secret = (text.encode() for text in account)
    with front.session(user, secret) as wire:
        assert wire.command(b"SELECT INBOX").status.startswith(b"OK")
        wire.challenged(b"i IDLE\r\n")
        dovecot.deliver(account[0], message(3, 1000))
        assert wire.line() == b"* 1 EXISTS"
        wire.send(b"DONE\r\n")
        assert wire.reply(b"i").status.startswith(b"OK")
        assert wire.command(b"FETCH 1 FLAGS").status.startswith(b"OK")


def test_capabilities_after_login_are_the_backends(front, account):
    """Nothing of a session is inspected after login."""
    user, secret = (text.encode() for text in account)
    with front.session(user, secret) as wire:
        words = wire.command(b"CAPABILITY").untagged[0].split()
        assert b"IDLE" in words and b"UIDPLUS" in words
