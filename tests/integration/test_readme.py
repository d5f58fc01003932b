"""What README prints works as printed."""

import shutil
import tempfile
from pathlib import Path

import certs
from dovecot import TLSDovecot
from secrets_in_logs import password
from waiting import listening, wait_for

README = Path(__file__).parents[2] / "README"
USERS = {"anna": password(), "ben": password()}


class Printed:
    """A value in libconfig's own words."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text


def printed(option):
    """The list of that name in the section on several servers."""
    section = README.read_text().partition("\n## Several servers\n")[2].partition("\n## ")[0]
    return section.partition(f"    {option} = ")[2].partition(";\n\n" if option == "routes" else ";\n    routes")[0]


def put_in_place(text, places):
    for word, place in places.items():
        assert word in text, f"{word} is not printed"
        text = text.replace(word, str(place))
    return text


def test_the_example_with_several_servers(guard, backend, place, logs):
    """Certificates of a private CA, and one server that is reached by its address."""
    vault = place / "vault"
    vault.mkdir(mode=0o755)
    authority = certs.make(vault, "authority", names=("DNS:ca.internal",))
    made = {"courier": certs.make_signed(vault, "courier", authority, ("DNS:localhost",)),
            "exchange": certs.make_signed(vault, "exchange", authority, ("DNS:ex.internal",))}
    folders, servers = [], {}
    try:
        for name, certificate in made.items():
            folders.append(Path(tempfile.mkdtemp(prefix="imapguard-readme-")))
            folders[-1].chmod(0o755)
            servers[name] = TLSDovecot(folders[-1], certificate, USERS)
            logs.append(servers[name].log)
            servers[name].start()
        front = guard(backend().address)
        front.stop()
        front.settings["backends"] = Printed(put_in_place(printed("backends"), {
            "mail1.internal:143": f"localhost:{servers['courier'].port}",
            "10.0.0.5:993": f"127.0.0.1:{servers['exchange'].tls_port}",
            "/etc/imapguard/internal-ca.pem": authority.chain}))
        front.settings["routes"] = Printed(printed("routes"))
        front.start()
        wait_for(lambda: listening(front.implicit_port), "the restart")
        for user, name in (("anna@sales.example.org", "exchange"), ("ben", "courier")):
            with front.secure() as wire:
                login = b"LOGIN " + user.encode() + b" \"" + USERS[user.partition("@")[0]].encode() + b"\""
                assert wire.command(login).status.startswith(b"OK")
                assert front.event("login", rport=wire.port)["backend"] == name
    finally:
        for server in servers.values():
            if server.process:
                server.stop()
        for folder in folders:
            shutil.rmtree(folder)
