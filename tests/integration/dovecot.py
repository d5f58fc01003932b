"""A throw-away Dovecot that speaks plaintext only: the legacy server."""

import base64
import grp
import hmac
import imaplib
import json
import os
import pwd
import shutil
import subprocess
import time
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
    def __init__(self, place, extra="", host="127.0.0.1"):
        """`extra` is configuration that follows the template's, with the same words between @ signs."""
        self.place = place
        self.extra = extra
        self.port = free_port()
        self.host = host
        self.address = f"{host}:{self.port}"
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
        text = TEMPLATE.read_text() + self.extra
        for name, value in {"PLACE": self.place, "PORT": self.port, "HOST": self.host, **accounts}.items():
            text = text.replace(f"@{name}@", str(value))
        self.config.write_text(text)
        return self.run()

    def run(self):
        """Start it, for the first time or again."""
        self.process = process.Process(
            [shutil.which("dovecot", path=os.environ["PATH"] + ":/usr/sbin"), "-F", "-c", self.config],
            self.place / "dovecot.stderr")
        wait_for(self._ready, "Dovecot's start")
        return self

    def _ready(self):
        assert self.process.running(), "Dovecot ended at its start:\n" + self.process.text()
        return listening(self.port, self.host)

    def stop(self):
        self.process.stop()

    def add_user(self, user, password):
        secret = base64.b64encode(password.encode()).decode()
        (self.users / user).write_text(f"{user}:{{PLAIN.b64}}{secret}\n")

    def straight(self, user, password):
        """A client that goes to Dovecot directly, to see what is really there."""
        client = imaplib.IMAP4(self.host, self.port)
        client.login(user, password)
        return client

    def deliver(self, user, message, mailbox="INBOX"):
        """Put a message into the mailbox, as a mail server would."""
        subprocess.run(["doveadm", "-c", self.config, "save", "-u", user, "-m", mailbox],
                       input=message, check=True, capture_output=True)


TLS_EXTRA = """
ssl = yes
ssl_cert = <@CHAIN@
ssl_key = <@KEY@
ssl_min_protocol = TLSv1.2
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer
haproxy_trusted_networks = 127.0.0.0/8
login_trusted_networks = @TRUSTED@
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @PLACE@/oauth2.conf
}
service imap-login {
  inet_listener imaps {
    port = @TLS_PORT@
    ssl = yes
  }
  inet_listener imap_proxied {
    port = @PROXIED_PORT@
    haproxy = yes
  }
}
"""

OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@PLACE@/keys/
username_attribute = sub
"""

TOKEN_KEY = b"a key that only the tests know"


def token(user):
    """A bearer token (RFC 7519) that TLSDovecot validates by itself."""
    def part(octets):
        return base64.urlsafe_b64encode(octets).rstrip(b"=")
    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = part(json.dumps({"sub": user, "iat": int(time.time()) - 5, "exp": int(time.time()) + 600}).encode())
    signature = hmac.digest(TOKEN_KEY, head + b"." + body, "sha256")
    return b".".join((head, body, part(signature))).decode()


class TLSDovecot(Dovecot):
    """With TLS in both ways, all mechanisms that pass, a port for the PROXY header, and trust in our ID."""
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER")

    def __init__(self, place, certificate, passwords, trusted="127.0.0.0/8", extra="", host="127.0.0.1"):
        self.tls_port, self.proxied_port = free_port(), free_port()
        self.passwords = passwords
        words = {"CHAIN": certificate.chain, "KEY": certificate.key, "TLS_PORT": self.tls_port,
                 "PROXIED_PORT": self.proxied_port, "TRUSTED": trusted}
        text = TLS_EXTRA + extra
        for name, value in words.items():
            text = text.replace(f"@{name}@", str(value))
        super().__init__(place, text, host)

    def start(self):
        key = self.place / "keys" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(TOKEN_KEY))
        (self.place / "oauth2.conf").write_text(OAUTH2.replace("@PLACE@", str(self.place)))
        super().start()
        for user, word in self.passwords.items():
            self.add_user(user, word)
        return self

    def kill(self):
        """All of its processes at once, as when the machine goes."""
        self.process.kill_session()
