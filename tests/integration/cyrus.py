"""A throw-away Cyrus IMAP server: plaintext with STARTTLS on one port, TLS on another."""

import imaplib

import process
from debian import Package
from waiting import free_port, listening, wait_for

ACCOUNT = ("cyrus", 47001)

IMAPD_CONF = """
configdirectory: {place}/lib
defaultpartition: default
partition-default: {place}/spool
servername: cyrus.test
admins: cyrus
unixhierarchysep: yes
autocreate_quota: 0
autocreate_post: yes
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {place}/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
tls_server_cert: {chain}
tls_server_key: {place}/tls.key
sendmail: /bin/false
"""

CYRUS_CONF = """
START {{
  recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -r"
}}
SERVICES {{
  imap cmd="imapd -U 30" listen="127.0.0.1:{port}" prefork=0 maxchild=100
  imaps cmd="imapd -s -U 30" listen="127.0.0.1:{tls_port}" prefork=0 maxchild=100
}}
EVENTS {{
}}
DAEMON {{
  idled cmd="idled"
}}
"""

RUN = """
mkdir -p /run/cyrus
chown -R cyrus:cyrus /run/cyrus {place}
cat > /mnt/passwords <<'END'
{passwords}
END
while read -r user password; do
  printf '%s' "$password" | saslpasswd2 -p -c -f {place}/sasldb2 -u cyrus.test "$user"
done < /mnt/passwords
chown cyrus {place}/sasldb2
/usr/lib/cyrus/bin/master -D &
wait
"""


class Cyrus:
    """Users are those of `passwords`: a dictionary of names."""
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")

    def __init__(self, place, certificate, passwords):
        self.place = place
        self.certificate = certificate
        self.passwords = passwords
        self.port, self.tls_port = free_port(), free_port()
        self.log = place / "cyrus.log"
        self.package = Package("cyrus", place)
        self.process = None

    def start(self):
        values = {"place": self.place, "port": self.port, "tls_port": self.tls_port, "chain": self.certificate.chain,
                  "passwords": "\n".join(f"{user} {word}" for user, word in self.passwords.items())}
        self.package.prepare([ACCOUNT])
        for folder in ("lib", "lib/socket", "spool"):
            (self.place / folder).mkdir()
        (self.place / "tls.key").write_bytes(self.certificate.key.read_bytes())
        (self.package.etc / "imapd.conf").write_text(IMAPD_CONF.format(**values))
        (self.package.etc / "cyrus.conf").write_text(CYRUS_CONF.format(**values))
        self.process = process.Process(self.package.command(RUN.format(**values)), self.log)
        wait_for(self._ready, "Cyrus's start", 60)
        return self

    def _ready(self):
        assert self.process.running(), "Cyrus ended at its start:\n" + self.process.text()
        return listening(self.port) and listening(self.tls_port)

    def stop(self):
        self.process.kill()

    def straight(self, user):
        """A client that goes to Cyrus directly."""
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(user, self.passwords[user])
        return client
