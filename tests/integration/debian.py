"""Servers of Debian's packages that cannot be installed beside Dovecot: unpacked, each at its usual paths in a namespace.

contrib/test unpacks them into build/legacy/. A server runs in mount and process namespaces of its own, in which its
package's files lie over /usr and /etc, and ends with all its children when the namespace does.
"""

import os
from pathlib import Path

import pytest

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


class Package:
    """A server's files, its own part of /etc in `place`, and how to run commands where it finds both."""

    def __init__(self, name, place):
        self.root = UNPACKED / name
        self.etc = place / "etc"
        if os.geteuid() != 0:
            pytest.skip(f"{name} needs root: it runs in a mount namespace")
        assert self.root.is_dir(), f"{self.root} is not there: contrib/test unpacks it"

    def prepare(self, accounts):
        """Make /etc, with accounts that the package would have made: a list of (name, number)."""
        self.etc.mkdir()
        for kind, line in (("passwd", "{0}:x:{1}:{1}::/:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
            text = Path("/etc", kind).read_text()
            (self.etc / kind).write_text(text + "".join(line.format(*account) for account in accounts))

    def command(self, script):
        """An argument vector that runs the shell script there."""
        enter = ENTER.format(root=self.root, etc=self.etc)
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter + script]
