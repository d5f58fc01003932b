"""A throw-away Dovecot that speaks plaintext only: the legacy server."""

import base64
import grp
import imaplib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import process
from waiting import free_port, listening, wait_for

TEMPLATE = Path(__file__).with_name("dovecot.conf.in")


def _accounts():
    """Dovecot's own accounts when we are root, and otherwise ours for everything."""
    mail = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    mail_group = grp.getgrgid(mail.pw_gid).gr_name
    if os.geteuid() == 0:
        internal = {"INTERNAL_USER": "dovecot", "INTERNAL_GROUP": "dovecot", "LOGIN_USER": "dovenull"}
    else:
        internal = {"INTERNAL_USER": mail.pw_name, "INTERNAL_GROUP": mail_group,
                    "LOGIN_USER": mail.pw_name}
    return {"MAIL_USER": mail.pw_name, "MAIL_GROUP": mail_group, **internal}


class Dovecot:
    def __init__(self, place):
        self.place = place
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = place / "dovecot.log"
        self.users = place / "users"
        self.config = place / "dovecot.conf"
        self.mail = place / "mail"
        self.process = None

    def start(self):
        accounts = _accounts()
        self.users.mkdir()
        self.mail.mkdir()
        shutil.chown(self.mail, accounts["MAIL_USER"])
        text = TEMPLATE.read_text()
        for name, value in {"PLACE": self.place, "PORT": self.port, **accounts}.items():
            text = text.replace(f"@{name}@", str(value))
        self.config.write_text(text)
        self.process = process.Process(
            [shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin"), "-F", "-c", self.config],
            self.place / "dovecot.stderr")
        wait_for(self._ready, "Dovecot's start")
        return self

    def _ready(self):
        assert self.process.running(), "Dovecot ended at its start:\n" + self.process.text()
        return listening(self.port)

    def stop(self):
        self.process.stop()

    def add_user(self, user, password):
        secret = base64.b64encode(password.encode()).decode()
        (self.users / user).write_text(f"{user}:{{PLAIN.b64}}{secret}\n")

    def straight(self, user, password):
        """A client that goes to Dovecot directly, to see what is really there."""
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(user, password)
        return client

    def deliver(self, user, message, mailbox="INBOX"):
        """Put a message into the mailbox, as a mail server would."""
        subprocess.run(["doveadm", "-c", self.config, "save", "-u", user, "-m", mailbox],
                       input=message, check=True, capture_output=True)
