"""Every legacy server, by every way to it and every method of login, does what mail clients do all day."""

import base64
import imaplib
import ssl

import pytest

import tables
from mechanisms import RESPONDERS

MESSAGE = b"Subject: matrix\r\n\r\nbytes \xc3\xa4\r\n"
TITLE = "method, on ports 143 and 993"


def connect(front, port_name, certificate):
    context = ssl.create_default_context(cafile=certificate.chain)
    if port_name == "993":
        return imaplib.IMAP4_SSL("localhost", front.implicit_port, ssl_context=context)
    client = imaplib.IMAP4("localhost", front.starttls_port)
    client.starttls(context)
    return client


def by_command(client, user, password):
    client.login(user, password)


def by_initial_response(client, user, password):
    """imaplib has no way to send one."""
    message = base64.b64encode(RESPONDERS["PLAIN"](user, password)(b"")).decode()
    status, answer = client._simple_command("AUTHENTICATE", "PLAIN", message)
    assert status == "OK", answer
    client.state = "AUTH"


def by_mechanism(name):
    def authenticate(client, user, password):
        assert f"AUTH={name}" in client.capabilities, f"{name} is not offered: {client.capabilities}"
        client.authenticate(name, RESPONDERS[name](user, password))
    return authenticate


def methods(server):
    yield "LOGIN", by_command
    yield "PLAIN with IR", by_initial_response
    for name in server.mechanisms:
        yield f"AUTH={name}", by_mechanism(name)


def use(client):
    """SELECT, APPEND, FETCH, IDLE, LOGOUT."""
    status, _ = client.append("INBOX", None, None, MESSAGE)
    assert status == "OK"
    status, count = client.select("INBOX")
    assert status == "OK" and int(count[0]) >= 1
    status, data = client.fetch(count[0], "(RFC822)")
    assert status == "OK" and data[0][1] == MESSAGE
    client.send(b"idle1 IDLE\r\n")
    while not (line := client.readline()).startswith(b"+"):
        assert line, "the connection ended before IDLE began"
    client.send(b"DONE\r\n")
    while not (line := client.readline()).startswith(b"idle1"):
        assert line, "the connection ended in IDLE"
    assert line.startswith(b"idle1 OK")
    client.logout()


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("name", ["tls_dovecot", "cyrus", "courier"])
def test_logins_and_mail(request, name, tls, guard, certificate, logs):
    server = request.getfixturevalue(f"{name}_server")
    logs.append(server.log)
    port = server.tls_port if tls == "implicit" else server.port
    front = guard(f"localhost:{port}", backend_settings={
        "tls": tls, **({"ca_file": str(certificate.chain)} if tls != "none" else {}), "check_interval": "1s"})
    front.event("capabilities-learned")
    hidden = [event["reason"] for event in front.events("client-address-hidden")]
    assert len(hidden) == (name == "courier") and all("does not list ID" in reason for reason in hidden)
    column = f"{name.removeprefix('tls_')} {tls}"
    user, password = "ben", server.passwords["ben"]
    for method, authenticate in methods(server):
        tables.record(TITLE, method, column, "FAILED")
        for port_name in "143", "993":
            client = connect(front, port_name, certificate)
            authenticate(client, user, password)
            use(client)
        tables.record(TITLE, method, column, "ok")
    assert not front.events("login-unavailable")
