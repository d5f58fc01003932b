"""A throw-away Cyrus IMAP server: plaintext with STARTTLS on one port, TLS on another."""

from debian import DebianServer

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
tls_server_cert: {place}/chain.pem
tls_server_key: {place}/key.pem
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
mkdir -p /run/cyrus {place}/lib/socket {place}/spool
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


class Cyrus(DebianServer):
    package = "cyrus"
    account = ("cyrus", 47001)
    files = {"/etc/imapd.conf": IMAPD_CONF, "/etc/cyrus.conf": CYRUS_CONF}
    script = RUN
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
