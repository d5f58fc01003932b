"""mbsync keeps a large mailbox the same at both ends, byte for byte."""

import imaplib
import re
import shutil
import subprocess

import pytest

from messages import message

MESSAGES = 500
LARGE = {100: 10_000_000, 200: 10_000_000, 300: 10_000_000}

CONFIG = """
IMAPAccount legacy
Host localhost
Port {port}
User {user}
Pass "{password}"
SSLType {tls}
CertificateFile {certificate}
AuthMechs LOGIN
Timeout 60

IMAPStore far
Account legacy

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Both
Expunge Both
Sync All
SyncState *
CopyArrivalDate yes
"""

pytestmark = pytest.mark.skipif(not shutil.which("mbsync"), reason="mbsync is not installed")


class Near:
    """The Maildir at the client's end."""

    def __init__(self, folder):
        self.folder = folder

    def files(self):
        return [path for part in ("cur", "new") for path in (self.folder / part).iterdir()]

    def add(self, text):
        name = f"{len(self.files())}.near.localhost"
        (self.folder / "new" / name).write_bytes(text.replace(b"\r\n", b"\n"))

    def contents(self):
        """Message number: bytes as they were sent, without the header by which mbsync finds what it wrote."""
        texts = (re.sub(rb"^X-TUID: .*\n", b"", path.read_bytes(), count=1, flags=re.M)
                 for path in self.files())
        return {number(text): text.replace(b"\n", b"\r\n") for text in texts}

    def flags(self):
        return {number(path.read_bytes()): path.name.partition(":2,")[2] for path in self.files()}

    def flag(self, wanted, letters):
        for path in self.files():
            if number(path.read_bytes()) in wanted:
                base = path.name.partition(":2,")[0]
                path.rename(self.folder / "cur" / f"{base}:2,{letters}")


def number(text):
    return int(re.search(rb"^Message-ID: <(\d+)\.", text, re.M)[1])


def far_contents(client):
    """What the legacy server has, asked without anything between."""
    client.select()
    parts = client.fetch("1:*", "(BODY.PEEK[])")[1]
    return {number(part[1]): part[1] for part in parts if isinstance(part, tuple)}


def far_flags(client):
    client.select()
    parts = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
    return {number(part[1]): set(imaplib.ParseFlags(part[0])) - {rb"\Recent"}
            for part in parts if isinstance(part, tuple)}


def without_tuid(texts):
    return {key: re.sub(rb"^X-TUID: .*\r\n", b"", text, count=1, flags=re.M)
            for key, text in texts.items()}


@pytest.mark.parametrize("tls", ["STARTTLS", "IMAPS"])
def test_two_way_sync(guard, dovecot, account, certificate, place, tls):
    front = guard(dovecot.address)
    user, secret = account
    mail = place / "mail"
    mail.mkdir()
    config = place / "mbsyncrc"
    config.write_text(CONFIG.format(
        user=user, password=secret, mail=mail, certificate=certificate.chain, tls=tls,
        port=front.starttls_port if tls == "STARTTLS" else front.implicit_port))
    near = Near(mail / "INBOX")

    def sync():
        done = subprocess.run(["mbsync", "-c", config, "all"], capture_output=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr.decode()

    originals = {key: message(key, LARGE.get(key, key % 3 * 3000)) for key in range(1, MESSAGES + 1)}
    straight = dovecot.straight(user, secret)
    for key in range(1, MESSAGES // 2 + 1):
        straight.append("INBOX", None, None, originals[key])
    sync()
    for key in range(MESSAGES // 2 + 1, MESSAGES + 1):
        near.add(originals[key])
    sync()
    assert near.contents() == originals
    assert without_tuid(far_contents(straight)) == originals

    near.flag({1, 2, 3}, "FS")
    straight.store("11:13", "+FLAGS", r"(\Answered)")
    straight.store("20", "+FLAGS", r"(\Deleted)")
    straight.expunge()
    sync()
    assert near.contents().keys() == originals.keys() - {20}
    flags = far_flags(straight)
    assert {key for key, value in flags.items() if value == {rb"\Flagged", rb"\Seen"}} == {1, 2, 3}
    assert {key for key, value in near.flags().items() if "R" in value} == {11, 12, 13}
    assert without_tuid(far_contents(straight)) == near.contents()
    straight.logout()
