"""Servers of Debian's packages that cannot be installed beside Dovecot: unpacked, each at its usual paths in a namespace.

contrib/test unpacks them into build/legacy/. A server runs in mount and process namespaces of its own, in which its
package's files lie over /usr and /etc, and ends with all its children when the namespace does.
"""

import imaplib
import os
from pathlib import Path

import pytest

import process
from waiting import free_port, listening, wait_for

UNPACKED = Path(__file__).parents[2] / "build" / "legacy"

ENTER = """
set -e
mount -t proc proc /proc
mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir={etc}:{root}/etc:/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
mount -t tmpfs tmpfs /run
"""


class DebianServer:
    """One of them; users are those of `passwords`, a dictionary of names."""
    package = None  # its folder in build/legacy
    account = None  # (name, number) that the package would have made
    script = None   # run in the namespace; ends with the server
    files = {}      # in its folder (relative) or in /etc (absolute): texts, with {place} and other words to fill in

    def __init__(self, place, certificate, passwords):
        if os.geteuid() != 0:
            pytest.skip(f"{self.package} needs root: it runs in a mount namespace")
        self.place = place
        self.certificate = certificate
        self.passwords = passwords
        self.port, self.tls_port = free_port(), free_port()
        self.log = place / f"{self.package}.log"
        self.process = None

    def start(self):
        values = {"place": self.place, "port": self.port, "tls_port": self.tls_port,
                  "passwords": "\n".join(f"{user} {word}" for user, word in self.passwords.items())}
        root, etc = UNPACKED / self.package, self.place / "etc"
        assert root.is_dir(), f"{root} is not there: contrib/test unpacks it"
        etc.mkdir()
        for name, line in (("passwd", "{0}:x:{1}:{1}::/:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
            (etc / name).write_text(Path("/etc", name).read_text() + line.format(*self.account))
        for name, text in self.files.items():
            (self.place / name.removeprefix("/")).write_text(text.format(**values))
        (self.place / "chain.pem").write_bytes(self.certificate.chain.read_bytes())
        (self.place / "key.pem").write_bytes(self.certificate.key.read_bytes())
        self.process = process.Process(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
             ENTER.format(root=root, etc=etc) + self.script.format(**values)], self.log)
        wait_for(self._ready, f"the start of {self.package}", 60)
        return self

    def _ready(self):
        assert self.process.running(), f"{self.package} ended at its start:\n{self.process.text()}"
        return listening(self.port) and listening(self.tls_port)

    def stop(self):
        if self.process:
            self.process.kill()

    def straight(self, user):
        """A client that goes to it directly."""
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(user, self.passwords[user])
        return client
