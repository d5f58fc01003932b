"""A throw-away Courier IMAP server: plaintext with STARTTLS on one port, TLS on another."""

from debian import DebianServer

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
cat {place}/key.pem {place}/chain.pem > {place}/tls.pem
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


class Courier(DebianServer):
    package = "courier"
    account = ("courier", 47002)
    files = {"imapd": IMAPD, "imapd-ssl": IMAPD_SSL}
    script = RUN
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5")
