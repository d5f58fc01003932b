"""Access rules of each kind, with real connections from several loopback addresses."""

import subprocess

import pytest

from secrets_in_logs import password
from waiting import wait_for

DE, AT, US, UNKNOWN = "127.0.1.9", "127.0.2.9", "127.0.3.9", "127.0.0.1"


def let_in(front, source, **options):
    """Whether a client from there gets its greeting."""
    with front.connect(source=source, **options) as wire:
        return wire.line_or_end().startswith(b"* OK ")


@pytest.fixture
def databases(geoip_folder):
    return {"country": str(geoip_folder / "country.mmdb"), "asn": str(geoip_folder / "asn.mmdb")}


def rule(action, name="it", **conditions):
    return {"name": name, "action": action, **conditions}


def test_networks(guard, backend):
    front = guard(backend().address, access=[rule("allow", "office", networks=["127.0.1.0/24"]), rule("deny", "rest")])
    assert let_in(front, DE)
    assert not let_in(front, US)
    event = front.event("denied", rip=US)
    assert event["rule"] == "rest" and event["action"] == "deny" and event["listener"] == "imap"
    assert not front.events("denied", rip=DE)
    assert not front.events("connect", rip=US), "nothing is spent on who is denied"


def test_networks_file(guard, backend, place):
    listed = place / "botnets.txt"
    listed.write_text("# bad ones\n127.0.3.0/24\n\n2001:db8::/32  # and these\n")
    front = guard(backend().address, access=[rule("deny", networks_file=str(listed))])
    assert let_in(front, DE)
    assert not let_in(front, US)


def test_countries(guard, backend, databases):
    front = guard(backend().address, geoip=databases,
                  access=[rule("allow", "home", countries=["DE", "--"]), rule("deny", "abroad")])
    assert let_in(front, DE) and let_in(front, UNKNOWN)
    assert not let_in(front, AT)
    event = front.event("denied", rip=AT)
    assert event["country"] == "AT" and event["asn"] == "64502" and event["rule"] == "abroad"
    assert front.event("disconnect", rip=DE)["country"] == "DE"
    assert front.event("disconnect", rip=DE)["asn"] == "64501"
    assert front.event("disconnect", rip=UNKNOWN)["country"] == "--"


def test_continents(guard, backend, databases):
    front = guard(backend().address, geoip=databases, access=[rule("deny", continents=["NA"])])
    assert let_in(front, DE) and not let_in(front, US)


def test_asns(guard, backend, databases):
    front = guard(backend().address, geoip=databases, access=[rule("deny", asns=[64503, 1])])
    assert let_in(front, DE) and not let_in(front, US)


def test_listeners(guard, backend):
    front = guard(backend().address, access=[rule("deny", listeners=["imap"])])
    assert not let_in(front, DE)
    with front.secure(source=DE):
        pass


def test_users(guard, dovecot, account):
    user, secret = account
    front = guard(dovecot.address, access=[
        rule("allow", "here", users=[user.upper()], networks=["127.0.1.0/24"]),
        rule("deny", "elsewhere", users=[user[:4] + "*"])])
    name, word = user.encode(), secret.encode()
    with front.secure(source=DE) as wire:
        assert wire.command(b"LOGIN " + name + b" " + word).status.startswith(b"OK")
    with front.secure(source=US) as wire:
        assert wire.command(b"LOGIN " + name + b" " + word).status.startswith(b"NO [AUTHENTICATIONFAILED]")
        assert wire.command(b"NOOP").status.startswith(b"OK")
    event = front.event("login-refused", rip=US)
    assert event["user"] == user and event["rule"] == "elsewhere" and event["reason"] == "rule"
    assert US not in dovecot.log.read_text()


def test_denied_users_never_reach_the_backend(guard, backend):
    server = backend()
    front = guard(server.address, access=[rule("deny", users=["anna"])])
    with front.secure() as wire:
        assert wire.command(b"LOGIN anna " + password().encode()).status.startswith(b"NO [AUTHENTICATIONFAILED]")
    assert not server.peers


@pytest.mark.parametrize("source", ["::ffff:192.0.2.7", "2002:c000:207::1", "64:ff9b::c000:207", "2001:db8:64::c000:207"])
def test_an_ipv4_address_inside_an_ipv6_address_is_the_client(guard, backend, source):
    front = guard(backend().address, access=[rule("deny", networks=["192.0.2.0/24"])],
                  listeners={"proxy_protocol": ["127.0.0.1"]}, limits={"nat64": ["2001:db8:64::/96"]})
    with front.connect(header=b"PROXY TCP6 " + source.encode() + b" 2001:db8::1 40000 143\r\n") as wire:
        assert wire.rest() == b""
    assert front.event("denied")["rule"] == "it"
    with front.connect(header=b"PROXY TCP6 2001:db8:65::c000:207 2001:db8::1 40000 143\r\n") as wire:
        assert wire.line().startswith(b"* OK")


@pytest.mark.parametrize("written", ["admin", "Admin", "admin@x", "ADMIN@example.org", "\uff41dmin", "a\u200bdmin"])
def test_no_other_way_to_write_a_name_leads_around_a_rule(guard, backend, written):
    """With strip_domain, all of these are the same user at the backend, or might be."""
    server = backend()
    front = guard(server.address, access=[rule("deny", users=["admin"])],
                  routes=[{"backends": ["legacy"], "strip_domain": True}])
    with front.secure() as wire:
        name = written.encode()
        assert wire.command(b"LOGIN {%d+}\r\n%s x" % (len(name), name)).status.startswith(b"NO [AUTHENTICATIONFAILED]")
        assert wire.command(b"LOGIN other@x " + password().encode()).status.startswith(b"OK")
    assert [peer.login.user for peer in server.peers if peer.login] == [b"other"]
    assert front.event("login", user="other@x")["account"] == "other"


@pytest.mark.parametrize("users", [["*@example.org"], ["anna"]])
def test_a_rule_may_have_either_name(guard, backend, users):
    front = guard(backend().address, access=[rule("allow", "these", users=users), rule("deny", "others", users=["*"])],
                  routes=[{"backends": ["legacy"], "default_domain": "example.org"}])
    for name in (b"anna", b"Anna@Example.org"):
        with front.secure() as wire:
            granted = wire.command(b"LOGIN " + name + b" " + password().encode()).status.startswith(b"OK")
            assert granted == (users == ["*@example.org"] or name == b"anna")


def test_tarpit_holds_without_a_word(guard, backend):
    front = guard(backend().address, access=[rule("tarpit", networks=["127.0.3.0/24"])],
                  limits={"login_timeout": "2s"})
    with front.connect(source=US) as wire:
        assert wire.rest() == b""
    assert float(front.event("disconnect", rip=US, reason="tarpit")["duration"]) >= 1.9
    assert front.event("denied", rip=US)["action"] == "tarpit"


def test_observe_only_tells(guard, backend):
    front = guard(backend().address, access=[rule("deny", "trial", networks=["127.0.3.0/24"], observe=True)])
    assert let_in(front, US) and let_in(front, DE)
    event = front.event("observed", rip=US)
    assert event["rule"] == "trial" and event["action"] == "deny"
    assert not front.events("observed", rip=DE) and not front.events("denied")


def test_a_replaced_database_is_used_without_a_restart(guard, backend, databases, geoip_folder, place):
    own = place / "country.mmdb"
    own.write_bytes((geoip_folder / "country.mmdb").read_bytes())
    front = guard(backend().address, workers=2, geoip={"country": str(own)}, access=[rule("deny", countries=["DE"])],
                  limits={"connection_rate": "100000/1s"})
    assert not let_in(front, DE)
    broken = place / "new.mmdb"
    broken.write_bytes((geoip_folder / "truncated.mmdb").read_bytes())
    broken.replace(own)
    front.event("geoip-failed", database="country")
    assert not let_in(front, DE), "the old one stays"
    own.write_bytes((geoip_folder / "country-new.mmdb").read_bytes())  # in place, as cp does it
    front.event("geoip-loaded", database="country")
    wait_for(lambda: all([let_in(front, DE) for _ in range(8)]), "the new database in every worker")


@pytest.mark.parametrize("name", ["truncated", "corrupted", "wrong", "missing"])
def test_a_bad_database_that_is_required_is_an_error_at_start(binary, place, certificate, geoip_folder, name):
    config = place / "bad.conf"
    config.write_text(f"""listeners = ( {{ name = "imap"; address = "127.0.0.1:1"; tls = "starttls"; }} );
tls = {{ certificates = ( {{ chain = "{certificate.chain}"; key = "{certificate.key}"; }} ); }};
backends = ( {{ name = "legacy"; address = "127.0.0.1:2"; }} );
user = "nobody";
geoip = {{ country = "{geoip_folder}/{name}.mmdb"; required = true; }};
""")
    result = subprocess.run([binary, "-t", "-c", config], capture_output=True, text=True)
    assert result.returncode == 1
    assert f"{config}:5: geoip.country: " in result.stderr and f"{name}.mmdb" in result.stderr



def test_a_database_that_was_damaged_before_a_restart_is_no_day_without_mail(guard, backend, databases, geoip_folder, place):
    """Its last good copy is used; without one, every client is one of an unknown country."""
    own, server = place / "own.mmdb", backend()
    own.write_bytes((geoip_folder / "country.mmdb").read_bytes())
    settings = {"geoip": {"country": str(own)}, "limits": {"state_file": str(place / "bans")}, "access": [
        rule("deny", countries=["DE"])]}
    front = guard(server.address, **settings)
    wait_for(lambda: (place / "bans.geoip-country").exists(), "the copy")
    front.stop()
    own.write_bytes((geoip_folder / "truncated.mmdb").read_bytes())
    front.start()
    assert front.event("geoip-failed", database="country")["using"] == str(place / "bans.geoip-country")
    assert not let_in(front, DE)
    assert front.event("denied")["country"] == "DE"
    front.stop()
    (place / "bans.geoip-country").unlink()
    front.start()
    assert wait_for(lambda: [event for event in front.events("geoip-failed") if event["using"] == "none"], "the failure")
    assert let_in(front, DE)


def test_explain_says_which_rule_decides_and_why(guard, backend, databases, binary):
    front = guard(backend().address, geoip=databases, access=[
        rule("allow", "office", networks=["127.0.9.0/24"]),
        rule("deny", "bob", users=["bob"]),
        rule("deny", "systems", asns=[64501]),
        rule("deny", "port", listeners=["imap"], countries=["DE"])])

    def explain(*arguments):
        return subprocess.run([binary, "-c", front.config, "--explain", *arguments],
                              capture_output=True, text=True)

    result = explain(DE)
    assert result.returncode == 0, result.stderr
    for word in ("country DE", "AS 64501", "office", "bob", "systems", "verdict: deny"):
        assert word in result.stdout, result.stdout
    assert "verdict: allow" in explain(US, "--listener", "imaps").stdout
    assert "verdict: deny" in explain(US, "--user", "bob").stdout
    assert "verdict: deny" in explain("::ffff:" + DE).stdout
    assert "at login" not in explain(DE, "--user", "anna").stdout, "it is refused before"
    for arguments in ([DE, "--listener", "nowhere"], ["nonsense"]):
        result = explain(*arguments)
        assert result.returncode == 1 and arguments[-1] in result.stderr


def test_a_rule_that_can_never_match_is_warned_of(guard, backend, binary):
    front = guard(backend().address, access=[rule("deny", "all"), rule("allow", "late", networks=["10.0.0.0/8"])])
    result = subprocess.run([binary, "-t", "-c", front.config], capture_output=True, text=True)
    assert result.returncode == 0
    assert f'{front.config}:' in result.stderr and 'access.[1]: can never match: "all"' in result.stderr
