"""The configuration is checked whole: each error names its file, line and key, and what was expected."""

import os
import re
import subprocess

import pytest

import certs
from tools import run

GOOD = """\
user = "nobody";
workers = 1;
listeners = (
  {{ name = "imap"; address = "127.0.0.1:{port}"; tls = "starttls"; }}
);
tls = {{
  certificates = ( {{ chain = "{chain}"; key = "{key}"; }} );
}};
backends = ( {{ name = "legacy"; address = "127.0.0.1:1"; }} );
limits = {{ login_delay = "1s"; }};
log = {{ target = "stderr"; level = "info"; }};
"""

# A line of the good configuration, what stands there instead, the key, and a word of the complaint.
ERRORS = {
    "unknown key": ('workers = 1;', 'wrokers = 1;', "wrokers", 'did you mean "?workers'),
    "unknown key in a group": ('limits = {{ login_delay', 'limits = {{ login_dealy', "login_dealy",
                               'did you mean "?login_delay'),
    "unknown key in a list": ('tls = "starttls"', 'tsl = "starttls"', "tsl", 'did you mean "?tls'),
    "nothing like it": ('workers = 1;', 'workers = 1; zzzzzzzz = 2;', "zzzzzzzz", "there are user, workers"),
    "number for a text": ('user = "nobody"', "user = 65534", "user", "string"),
    "text for a number": ("workers = 1", 'workers = "many"', "workers", "number|integer"),
    "negative number": ("workers = 1", "workers = -1", "workers", 'found "-1"'),
    "number beyond 32 bits": ("workers = 1;", "workers = 1; max_sessions = 4294967301;", "max_sessions", 'found "4294967301"'),
    "number beyond 64 bits": ("workers = 1;", "workers = 1; max_sessions = 99999999999999999999;", "max_sessions",
                              'found "99999999999999999999"'),
    "fraction": ("workers = 1", "workers = 1.5", "workers", 'found "1.5"'),
    "huge system": ('workers = 1;', 'workers = 1; access = ( {{ name = "a"; action = "deny"; asns = [ 4294967296 ]; }} );', "",
                    'found "4294967296"'),
    "text for a list": ("backends = ( {{", 'routes = ""; backends = ( {{', "routes", ""),
    "duration without unit": ('login_delay = "1s"', 'login_delay = "1"', "login_delay", "duration"),
    "duration as number": ('login_delay = "1s"', "login_delay = 1", "login_delay", ""),
    "negative duration": ('login_delay = "1s"', 'login_delay = "-1s"', "login_delay", ""),
    "duration without quotes": ('login_delay = "1s"', 'login_delay = 1s', "login_delay", "in quotes.*found 1s without quotes"),
    "huge duration": ('login_delay = "1s"', 'login_delay = "99999999999999999999d"', "login_delay", ""),
    "unknown account": ('user = "nobody"', 'user = "no-such-account"', "user",
                        "useradd --system no-such-account"),
    "root": ('user = "nobody"', 'user = "root"', "user", "other than root"),
    "wrong word": ('tls = "starttls"', 'tls = "startssl"', "tls", 'did you mean "?starttls|starttls'),
    "wrong level": ('level = "info"', 'level = "inof"', "level", "info"),
    "address without port": ('address = "127.0.0.1:1"', 'address = "127.0.0.1"', "address", ""),
    "address with a large port": ('address = "127.0.0.1:1"', 'address = "127.0.0.1:65536"', "address", ""),
    "missing certificate": ('chain = "{chain}"', 'chain = "/nowhere/chain.pem"', "chain", "/nowhere/chain.pem"),
    "missing key file": ('key = "{key}"', 'key = "/nowhere/key.pem"', "key", "/nowhere/key.pem"),
    "key that does not match": ('key = "{key}"', 'key = "{other}"', "key", "match"),
    "certificate that is none": ('chain = "{chain}"', 'chain = "{key}"', "chain", ""),
    "wrong version": ("  certificates", '  min_version = "TLSv1.4"; certificates', "min_version", "TLSv1.3"),
    "wrong group": ("  certificates", '  groups = "P-257"; certificates', "groups", ""),
    "wrong cipher": ("  certificates", '  ciphers = "NONSENSE"; certificates', "ciphers", ""),
    "two listeners on an address": ('tls = "starttls"; }}', 'tls = "starttls"; }}, {{ name = "b"; address = "*:{port}"; '
                                    'tls = "implicit"; }}', "address", "no other listener"),
    "listener in the notation of IPv6": ('"127.0.0.1:{port}"', '"[::ffff:127.0.0.1]:{port}"', "address", 'write "127.0.0.1:1143"'),
    "listener on a multicast address": ('"127.0.0.1:{port}"', '"224.0.0.1:{port}"', "address", "a multicast address"),
    "two listeners with a name": ('tls = "starttls"; }}', 'tls = "starttls"; }}, {{ name = "imap"; address = "127.0.0.2:{port}"; '
                                  'tls = "implicit"; }}', "name", '"imap" twice'),
    "backend that is a listener": ('"127.0.0.1:1"', '"127.0.0.1:{port}"', "address", 'listener "imap" of imapguard itself'),
    "backend that is a listener by name": ('"127.0.0.1:1"', '"localhost:{port}"', "address",
                                           r'found "localhost:1143" \(127.0.0.1\)'),
    "authorities without TLS": ('"127.0.0.1:1";', '"127.0.0.1:1"; ca_file = "{chain}";', "ca_file", "in the clear"),
    "client certificate without TLS": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "none"; certificate = "{chain}";', "certificate",
                                       'found tls = "none"'),
    "client key without TLS": ('"127.0.0.1:1";', '"127.0.0.1:1"; key = "{key}";', "key", "in the clear"),
    "log in a folder that is missing": ('"stderr"', '"/nowhere/imapguard.log"', "target", "mkdir -p /nowhere"),
    "log that is a folder": ('"stderr"', '"/etc"', "target", "which is a folder: name another one"),
    "log that is a device": ('"stderr"', '"/dev/null"', "target", 'path of a file or a FIFO, found "/dev/null", which is a device'),
    "log that is a link": ('"stderr"', '"/dev/stderr"', "target", "which is a symbolic link"),
    "log in /proc": ('"stderr"', '"/proc/log"', "target", "Read-only"),
    "log that is a file of the kernel": ('"stderr"', '"/proc/version"', "target", "Read-only"),
    "log with a long name": ('"stderr"', f'"/tmp/{"x" * 256}"', "target", "File name too long"),
    "log below a file": ('"stderr"', '"/etc/passwd/log"', "target", "/etc/passwd is not a folder"),
    "log below what is below a file": ('"stderr"', '"/etc/passwd/x/log"', "target", "/etc/passwd is not a folder"),
    "state file in a folder that is missing": ('login_delay = "1s";', 'login_delay = "1s"; state_file = "/nowhere/bans";',
                                               "state_file", "mkdir -p /nowhere"),
    "state file below a file": ('login_delay = "1s";', 'login_delay = "1s"; state_file = "/etc/passwd/bans";', "state_file",
                                "/etc/passwd is not a folder"),
    "state file with a long name": ('login_delay = "1s";', f'login_delay = "1s"; state_file = "/tmp/{"x" * 252}";', "state_file",
                                    "File name too long"),
    "state file in /proc": ('login_delay = "1s";', 'login_delay = "1s"; state_file = "/proc/bans";', "state_file", "Read-only"),
    "state file that is a device": ('login_delay = "1s";', 'login_delay = "1s"; state_file = "/dev/null";', "state_file",
                                    "a device is not a file of bans of imapguard: name another one"),
    "state file that is a key": ('login_delay = "1s";', 'login_delay = "1s"; state_file = "{key}";', "state_file",
                                 "is not a file of bans of imapguard: name another one"),
    "no backend": ('backends = ( {{ name = "legacy"; address = "127.0.0.1:1"; }} )', "backends = ( )", "backends", "1 to"),
    "missing authorities": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "implicit"; ca_file = "/nowhere/ca.pem";', "ca_file",
                            "/nowhere/ca.pem"),
    "authorities without a certificate": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "implicit"; ca_file = "{key}";', "ca_file",
                                          "no certificates in PEM format in .*key"),
    "damaged authorities": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "implicit"; ca_file = "{damaged}";', "ca_file",
                            "a damaged certificate in "),
    "client certificate without a key": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "starttls"; certificate = "{chain}";',
                                         "certificate", "both"),
    "client key of another certificate": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "starttls"; certificate = "{chain}"; '
                                          'key = "{other}";', "key", "does not match"),
    "client key with a passphrase": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "starttls"; certificate = "{chain}"; '
                                     'key = "{locked}";', "key", "passphrase"),
    "TLS over a socket without a name": ('"127.0.0.1:1";', '"unix:/nowhere"; tls = "implicit";', "server_name", "name"),
    "name of a server that is too long": ('"127.0.0.1:1";', f'"127.0.0.1:1"; tls = "implicit"; server_name = "{"x" * 254}";',
                                          "server_name", "at most 253 characters"),
    "number for the name of a server": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "implicit"; server_name = 5;', "server_name", "string"),
    "number for authorities": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "implicit"; ca_file = 5;', "ca_file", "string"),
    "number for a client certificate": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "implicit"; certificate = 5; key = "{key}";',
                                        "certificate", "string"),
    "wrong backend TLS": ('"127.0.0.1:1";', '"127.0.0.1:1"; tls = "ssl";', "tls", "starttls"),
    "backend that is not there": ('workers = 1;', 'workers = 1; routes = ( {{ backends = [ "lecagy" ]; }} );', "", "lecagy"),
    "route without a backend": ('workers = 1;', 'workers = 1; routes = ( {{ users = [ "*" ]; }} );', "backends", "at least"),
    "capability that is false": ('workers = 1;', 'workers = 1; capabilities = [ "IMAP4rev1", "STARTTLS" ];', "", "true after"),
    "capability that cannot pass": ('workers = 1;', 'workers = 1; capabilities = [ "IMAP4rev1", "AUTH=GSSAPI" ];', "",
                                    "SCRAM"),
    "capabilities without IMAP": ('workers = 1;', 'workers = 1; capabilities = [ "IDLE" ];', "capabilities", "IMAP4rev1"),
    "mechanism that hides the user": ('workers = 1;', 'workers = 1; capabilities = [ "IMAP4rev1", "AUTH=CRAM-MD5" ]; routes = '
                                      '( {{ users = [ "a*" ]; backends = [ "legacy" ]; }} );', "", "in time"),
}


@pytest.fixture
def check(binary, place, certificate, rsa_certificate, vault):
    """Runs -t on a text; returns its exit status, its output, and the file's name."""
    locked, damaged = certs.lock(vault, certificate), place / "damaged.pem"
    damaged.write_text(certificate.chain.read_text().replace("MII", "MIX"))

    def run_check(text, option="-t"):
        path = place / "imapguard.conf"
        path.write_text(text.format(port=1143, chain=certificate.chain, key=certificate.key,
                                    other=rsa_certificate.key, locked=locked, damaged=damaged))
        done = run(binary, option, "-c", path)
        return done.returncode, done.stdout.decode(), str(path)
    return run_check


def complaints(output, path):
    """{(line, last word of the key): complaint}"""
    found = re.findall(rf"^{re.escape(path)}:(\d+): ([^:\s]+): (.*)$", output, re.M)
    return {(int(line), re.split(r"[.\]]", key)[-1]): text for line, key, text in found}


def line_of(text, needle):
    return text[:text.index(needle)].count("\n") + 1


def test_good_configuration(check):
    code, output, path = check(GOOD)
    assert code == 0
    assert not complaints(output, path)


@pytest.mark.parametrize("option", ["-t", "-f"])
@pytest.mark.parametrize("error", ERRORS)
def test_error_is_reported(check, error, option):
    """By the check and by a start, both of which fail."""
    before, after, key, words = ERRORS[error]
    assert before in GOOD
    if error in ("unknown account", "root") and os.geteuid() != 0:
        pytest.skip("the account is used by root only")
    code, output, path = check(GOOD.replace(before, after, 1), option)
    assert code == 1
    found = complaints(output, path)
    assert (line_of(GOOD, before), key) in found, output
    assert re.search(words, found[line_of(GOOD, before), key]), output


@pytest.mark.parametrize("address, tls, warned", [
    ("192.0.2.1:143", "none", True), ("[2001:db8::1]:143", "none", True), ("192.0.2.1:993", "implicit", False),
    ("10.0.0.5:143", "none", False), ("127.0.0.1:143", "none", False), ("[::1]:143", "none", False),
    ("unix:/run/imap", "none", False)])
def test_passwords_in_the_clear_over_foreign_networks_are_warned_about(check, address, tls, warned):
    code, output, _ = check(GOOD.replace('"127.0.0.1:1";', f'"{address}"; tls = "{tls}";', 1))
    assert code == 0
    assert ("in the clear" in output) == warned, output


def test_all_errors_are_reported_at_once(check):
    """Not only the first, and each where it stands."""
    chosen = ["unknown key", "wrong word", "unknown key in a group", "wrong level",
              "missing certificate", "address without port"]
    text = GOOD
    for before, after, _, _ in (ERRORS[error] for error in chosen):
        text = text.replace(before, after, 1)
    code, output, path = check(text)
    assert code == 1
    expected = {(line_of(GOOD, ERRORS[error][0]), ERRORS[error][2]) for error in chosen}
    assert expected <= complaints(output, path).keys(), output


@pytest.mark.parametrize("missing", ["listeners", "tls", "backends"])
def test_what_must_be_there(check, missing):
    kept = re.sub(rf"^{missing} = (?:.*;\n|.*\n(?:  .*\n)*\S+;\n)", "", GOOD, flags=re.M)
    assert kept != GOOD
    code, output, path = check(kept)
    assert code == 1
    assert re.search(rf"^{re.escape(path)}.*{missing}", output, re.M), output


# What libconfig refuses: a line of the good configuration, what stands there instead, and all that is said.
UNREADABLE = {
    "two equals signs": ("workers = 1;", "workers = = 1;",
                         'syntax error: expected a value for "workers", found "=" in: workers = = 1;'),
    "set twice": ("workers = 1;", 'workers = 1; user = "x";', "user: set twice, first in line 1: remove one of them"),
    "string without quotes": ('user = "nobody";', "user = nobody;",
                              'syntax error: expected a value for "user" (a string stands in quotes), found "nobody" in: user = nobody;'),
    "string without an end": ('user = "nobody";', 'user = "nobody;', 'expected a closing quote on the line of the string, found "nobody; '
                              "(a backslash in a string is written twice)"),
    "comment without an end": ("workers = 1;", "/* workers = 1;", 'a comment begins here that does not end: expected "*/" behind it'),
    "file that is missing": ("workers = 1;", '\n@include "more.conf"',
                             "@include: cannot read {place}/more.conf: No such file or directory"),
}


@pytest.mark.parametrize("error", UNREADABLE)
def test_what_cannot_be_parsed(check, place, error):
    before, after, words = UNREADABLE[error]
    code, output, path = check(GOOD.replace(before, after, 1))
    assert code == 1
    line = line_of(GOOD, before) + after.count("\n")
    assert output == f"{path}:{line}: {words.replace('{place}', str(place))}\n"


def test_included_files_keep_their_lines(check, place):
    (place / "more.conf").write_text('# more\nlimits = { login_delay = "1"; };\n')
    code, output, path = check(re.sub("^limits.*$", '@include "more.conf"', GOOD, flags=re.M) + "usr = 1;\n")
    assert code == 1
    assert f"{place}/more.conf:2: limits.login_delay: expected a duration" in output
    assert (GOOD.count("\n") + 1, "usr") in complaints(output, path), output


@pytest.mark.parametrize("end", ["# end", "// end", "/* end */", "#", "  "])
def test_the_last_line_needs_no_newline(check, place, end):
    (place / "more.conf").write_text("# more")
    code, output, _ = check('@include "more.conf"\n' + GOOD + end)
    assert code == 0, output


def test_numbers_are_read_as_they_are_written(check):
    code, output, _ = check(GOOD.replace("workers = 1;", "workers = 0x2; max_sessions = 5000L;", 1))
    assert code == 0, output


def test_a_backend_at_an_address_of_this_host(check):
    """A listener on * is reached at every address of every interface."""
    own = subprocess.run(["ip", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True).stdout
    addresses = re.findall(r"inet6? ([^/\s]+)", own)
    if not addresses:
        pytest.skip("this host has no address but those of loopback")
    for address in addresses:
        host = f"[{address}]" if ":" in address else address
        code, output, _ = check(GOOD.replace('"127.0.0.1:{port}"', '"*:{port}"', 1).replace("127.0.0.1:1\"", f"{host}:1143\"", 1))
        assert code == 1 and "of imapguard itself" in output, output


@pytest.mark.parametrize("option", ["-t", "-f"])
@pytest.mark.parametrize("name", ["imapguard.conf", "again.conf", "more.conf"])
def test_the_configuration_is_no_log(check, place, name, option):
    """By its path, by another link to it, and as an included file; nothing is written to it and nobody else gets it."""
    (place / "imapguard.conf").write_text("")
    (place / "more.conf").write_text("# more\n")
    os.link(place / "imapguard.conf", place / "again.conf")
    code, output, _ = check('@include "more.conf"\n' + GOOD.replace('"stderr"', f'"{place}/{name}"', 1), option)
    assert code == 1 and "which is that of the configuration: name another one" in output, output
    assert (place / "more.conf").read_text() == "# more\n"
    assert {(place / each).stat().st_uid for each in ("imapguard.conf", "more.conf")} == {os.geteuid()}


@pytest.mark.parametrize("log", ["bans", "./bans", "bans.new"])
def test_the_state_file_is_no_log(check, place, log):
    text = GOOD.replace('"1s"', f'"1s"; state_file = "{place}/bans"', 1).replace('"stderr"', f'"{place}/{log}"', 1)
    code, output, _ = check(text)
    assert code == 1 and "which is that of limits.state_file: name another one" in output, output


@pytest.mark.parametrize("option", ["-t", "-f"])
@pytest.mark.parametrize("name", ["imapguard.conf", "link", "fifo", "planted"])
def test_state_files_that_are_something_else_are_left_alone(check, place, name, option):
    (place / "link").symlink_to(place / "nowhere")
    os.mkfifo(place / "fifo")
    os.mkfifo(place / "planted.new")
    code, output, path = check(GOOD.replace('"1s"', f'"1s"; state_file = "{place}/{name}"', 1), option)
    assert code == 1 and "is not a file of bans of imapguard: name another one" in output, output
    assert "workers = 1" in (place / "imapguard.conf").read_text()
    assert (place / "link").is_symlink() and (place / "fifo").is_fifo() and (place / "planted.new").is_fifo()
    assert not (place / "planted").exists()


def test_the_longest_name_of_a_server(check):
    code, output, _ = check(GOOD.replace('"127.0.0.1:1";', f'"127.0.0.1:1"; tls = "implicit"; server_name = "{"x" * 253}";', 1))
    assert code == 0, output


@pytest.mark.parametrize("option", ['verify = false', 'server_name = "x"', 'legacy_tls = true'])
def test_options_of_tls_without_tls_are_warned_about(check, option):
    code, output, path = check(GOOD.replace('"127.0.0.1:1";', f'"127.0.0.1:1"; {option};', 1))
    assert code == 0
    line, key = line_of(GOOD, '"127.0.0.1:1"'), option.split()[0]
    assert f'{path}:{line}: warning: backends.[0].{key}: has no effect with tls = "none"' in output


def test_a_backend_that_takes_all_clients_for_one_is_warned_about(check):
    code, output, path = check(GOOD.replace('"127.0.0.1:1";', '"127.0.0.1:1"; forward_id = false;', 1))
    assert code == 0
    line = line_of(GOOD, '"127.0.0.1:1"')
    assert f'{path}:{line}: warning: backends.[0].forward_id: with false and proxy_protocol = "none", all clients are one' in output
    assert "set forward_id = true" in output and 'or proxy_protocol = "v2"' in output
    for settings in "forward_id = true", 'forward_id = false; proxy_protocol = "v2"':
        code, output, _ = check(GOOD.replace('"127.0.0.1:1";', f'"127.0.0.1:1"; {settings};', 1))
        assert code == 0 and "warning" not in output


def test_bad_lines_of_a_networks_file(check, place):
    """All that fit are told, with their text, and how many more there are."""
    (place / "listed").write_text("10.0.0.0/8\nbad\n" * 23)
    code, output, path = check(GOOD + f'access = ( {{{{ name = "a"; action = "deny"; networks_file = "{place}/listed"; }}}} );\n')
    assert code == 1
    lines = re.findall(rf'networks_file: {place}/listed:(\d+): expected a network .*, found "bad"$', output, re.M)
    assert lines == [str(number) for number in range(2, 42, 2)]
    assert f"{place}/listed: and 3 more lines" in output


@pytest.mark.skipif(os.geteuid() != 0, reason="the account is used by root only")
@pytest.mark.parametrize("mode, good", [(0o755, True), (0o711, True), (0o700, False), (0o710, False)])
def test_log_that_workers_cannot_open_again(check, place, mode, good):
    """After a rotation each process opens it by its path."""
    (place / "log").mkdir()
    (place / "log").chmod(mode)
    code, output, _ = check(GOOD.replace('"stderr"', f'"{place}/log/imapguard.log"', 1))
    assert code == (0 if good else 1), output
    assert good or f"chmod o+x {place}/log\n" in output


def test_log_that_cannot_be_written(check):
    """A start without a log is no start."""
    code, output, _ = check(GOOD.replace('"stderr"', '"/nowhere/imapguard.log"'), "-f")
    assert code == 1
    assert "/nowhere/imapguard.log" in output


def test_log_that_nobody_reads(check, place):
    """The check cannot open a FIFO: its reader would see it end."""
    os.mkfifo(place / "log")
    text = GOOD.replace('"stderr"', f'"{place}/log"', 1)
    assert check(text)[0] == 0
    code, output, _ = check(text, "-f")
    assert code == 1 and f"{place}/log: nobody reads this FIFO: start its reader first" in output, output


def test_missing_file(binary, place):
    done = run(binary, "-t", "-c", place / "absent.conf")
    assert done.returncode == 1
    assert str(place / "absent.conf").encode() in done.stdout


def test_expired_certificate_is_a_warning(guard, backend, vault):
    """Clients would rather see an old certificate than none; the log says so."""
    expired = certs.make_expired(vault)
    front = guard(backend().address, [expired])
    front.event("certificate-expiry")
    with front.session() as wire:
        assert wire.command(b"NOOP").status.startswith(b"OK")


def test_version_names_the_libraries(binary):
    done = run(binary, "-V")
    assert done.returncode == 0
    text = done.stdout.decode()
    assert text.startswith("imapguard ")
    for library in ("OpenSSL", "libev", "libconfig"):
        assert library in text


def test_help_and_wrong_options(binary):
    done = run(binary, "-h")
    assert done.returncode == 0 and b"-c FILE" in done.stdout
    assert run(binary, "-x").returncode != 0
    assert run(binary, "surplus").returncode != 0


def test_a_delay_that_outlasts_a_login_is_warned_of(check):
    code, output, _ = check(GOOD.replace('login_delay = "1s";', 'login_delay_max = "15s"; login_timeout = "15s";', 1))
    assert code == 0 and "limits.login_delay_max: a login that is delayed for so long (15000 ms) ends by login_timeout" in output
    code, output, _ = check(GOOD.replace('address = "127.0.0.1:1";', 'address = "127.0.0.1:1"; login_timeout = "9s";', 1))
    assert code == 0 and "backends.[0].login_timeout: a login by CRAM-MD5 that is delayed" in output
