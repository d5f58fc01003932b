"""A throw-away Courier IMAP server: plaintext with STARTTLS on one port, TLS on another."""

import imaplib

import process
from debian import Package
from waiting import free_port, listening, wait_for

ACCOUNT = ("courier", 47002)

# What an administrator sets in Debian's files; the rest of them stays.
IMAPD = """
MAXPERIP=1000
MAXDAEMONS=200
IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5"
IMAP_CAPABILITY_TLS="$IMAP_CAPABILITY"
IMAP_ULIMITD=
"""
IMAPD_SSL = """
TLS_CERTFILE={place}/tls.pem
TLS_DHPARAMS=
TLS_CACHEFILE=
"""

RUN = """
mkdir -p /run/courier/authdaemon
chown -R courier /run/courier
{{
  cat <<'END'
{passwords}
END
}} | while read -r user password; do
  plain=$(printf '%s\\n%s\\n' "$password" "$password" | userdbpw -md5)
  digest=$(printf '%s\\n%s\\n' "$password" "$password" | userdbpw -hmac-md5)
  printf '%s\\tuid=47002|gid=47002|home={place}/%s|mail={place}/%s/Maildir|imappw=%s|hmac-md5pw=%s\\n' \\
    "$user" "$user" "$user" "$plain" "$digest" >> /etc/courier/userdb
  mkdir -p {place}/"$user"
  maildirmake.courier {place}/"$user"/Maildir
  chown -R courier:courier {place}/"$user"
done
chmod 600 /etc/courier/userdb
makeuserdb
chown -R courier /etc/courier
sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/' /etc/courier/authdaemonrc
cat {place}/imapd >> /etc/courier/imapd
cat {place}/imapd-ssl >> /etc/courier/imapd-ssl
/usr/lib/courier/courier-authlib/authdaemond &
set -a
. /etc/courier/imapd
. /etc/courier/imapd-ssl
IMAP_STARTTLS=YES couriertcpd -address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup {port} \\
  /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir &
IMAP_TLS=1 couriertcpd -address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup {tls_port} \\
  "$COURIERTLS" -server -tcpd /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir &
wait
"""


class Courier:
    """Users are those of `passwords`: a dictionary of names."""
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5")

    def __init__(self, place, certificate, passwords):
        self.place = place
        self.certificate = certificate
        self.passwords = passwords
        self.port, self.tls_port = free_port(), free_port()
        self.log = place / "courier.log"
        self.package = Package("courier", place)
        self.process = None

    def start(self):
        values = {"place": self.place, "port": self.port, "tls_port": self.tls_port,
                  "passwords": "\n".join(f"{user} {word}" for user, word in self.passwords.items())}
        self.package.prepare([ACCOUNT])
        (self.place / "tls.pem").write_bytes(self.certificate.key.read_bytes() + self.certificate.chain.read_bytes())
        (self.place / "imapd").write_text(IMAPD)
        (self.place / "imapd-ssl").write_text(IMAPD_SSL.format(**values))
        self.process = process.Process(self.package.command(RUN.format(**values)), self.log)
        wait_for(self._ready, "Courier's start", 60)
        return self

    def _ready(self):
        assert self.process.running(), "Courier ended at its start:\n" + self.process.text()
        return listening(self.port) and listening(self.tls_port)

    def stop(self):
        self.process.kill()

    def straight(self, user):
        """A client that goes to Courier directly."""
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(user, self.passwords[user])
        return client
