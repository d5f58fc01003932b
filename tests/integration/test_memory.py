"""What lies in the memory of each process: who may write what is shared, and no password once it has been used."""

import base64
import contextlib
import os
import re
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import certs
import process
from secrets_in_logs import password
from waiting import SANITIZED, wait_for
from wire import trusting

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into processes that gave up their rights")

REGION = re.compile(r" (rw|r-)-s .*/memfd:imapguard-(\S+)")


def regions(pid):
    """{name: its rights} of what a process shares; where it has mapped a region twice, the wider ones."""
    found = {}
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            if match := REGION.search(line):
                found[match[2]] = max(found.get(match[2], ""), match[1])
    return found


def test_each_process_writes_what_is_its_own(guard, backend, geoip_folder):
    front = guard(backend().address, workers=2, geoip={"country": str(geoip_folder / "country.mmdb")})
    with front.session(), front.session():
        workers = {int(event["worker"]): int(event["pid"]) for event in front.events("worker-started")}
        monitor = int(front.event("monitor-started")["pid"])
        for own, pid in workers.items():
            assert regions(pid) == {
                f"{kind}-{number}": "rw" if number == own else "r-"
                for kind in ("process", "backends", "sessions", "guesses") for number in range(3)
            } | {"clients": "rw", "logins": "rw", "log-quota": "rw", "tickets": "r-", "endpoints": "r-", "offer": "r-", "geoip": "r-"}
        assert regions(monitor) == {
            f"{kind}-{number}": "rw" if number == 2 else "r-" for kind in ("process", "backends") for number in range(3)
        } | {"endpoints": "rw", "offer": "rw"}
        # The master may write what it clears after a death; not what nobody may change any more.
        assert regions(front.process.pid)["geoip"] == "r-"


def test_the_monitor_has_no_socket_of_clients(guard, backend):
    front = guard(backend().address)
    listening = {line.split()[9] for line in open("/proc/net/tcp", encoding="ascii").readlines()[1:] if line.split()[3] == "0A"}

    def sockets(pid):
        links = []
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                links.append(os.readlink(entry.path))
        return {link[8:-1] for link in links if link.startswith("socket:[")} & listening

    assert len(sockets(front.workers()[0])) == 2
    assert not sockets(int(front.event("monitor-started")["pid"]))


def holds(pid, needle):
    """The mappings of a process in which these octets stand."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if line.split()[1].startswith("r") and last - first < 1 << 30:  # no sanitizer's shadow
                with contextlib.suppress(OSError):
                    memory.seek(first)
                    if needle in memory.read(last - first):
                        found.append(line.strip())
    return found


def numbers_of(path):
    """{name: octets} of the secret numbers of a key file, as OpenSSL's BIGNUMs have them and as DER has them, and its PEM."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    numbers = key.private_numbers()
    names = ("d", "p", "q") if isinstance(key, rsa.RSAPrivateKey) else ("private_value",)
    found = {"PEM": path.read_bytes().splitlines()[2]}
    for name in names:
        value = getattr(numbers, name)
        size = (value.bit_length() + 7) // 8
        found[f"{name}, little-endian"] = value.to_bytes(size, "little")
        found[f"{name}, big-endian"] = value.to_bytes(size, "big")
    return found


def ticket_key(worker):
    """The octets of the first ticket key, from the region that the worker reads: a number, and then name, cipher and MAC key."""
    with open(f"/proc/{worker}/maps", encoding="ascii") as maps, open(f"/proc/{worker}/mem", "rb", buffering=0) as memory:
        first = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith("imapguard-tickets (deleted)"))
        memory.seek(first + 4)
        ring = memory.read(80)
    assert any(ring[16:])
    return ring[16:48]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_the_monitor_has_no_secret_of_the_clients_side(guard, backend, tmp_path, kind):
    """Neither the server's key, nor a ticket key, nor a password; the worker, which needs both keys, shows that the search finds."""
    tmp_path.chmod(0o755)
    pair = certs.make(tmp_path, kind, kind=kind)
    front = guard(backend().address, certificates=[pair])
    secret = password()
    with front.secure(trusting(pair)) as wire:
        assert wire.command(b"LOGIN anna " + secret.encode()).status.startswith(b"OK")
        worker, monitor = front.workers()[0], int(front.event("monitor-started")["pid"])
        secrets = numbers_of(pair.key) | {"ticket key": ticket_key(worker), "password": secret.encode()}
        assert any(holds(worker, octets) for name, octets in secrets.items() if "endian" in name)
        assert holds(worker, secrets["ticket key"])
        left = {name: holds(monitor, octets) for name, octets in secrets.items()}
        assert not any(left.values()), left


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory as it was")
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("listener", ["starttls", "implicit"])
@pytest.mark.parametrize("how", ["LOGIN", "PLAIN"])
@pytest.mark.parametrize("outcome", ["OK", "NO"])
def test_no_password_stays(guard, backend, version, listener, how, outcome):
    """Neither while the session lives nor after its end, in whatever form it went."""
    from fakebackend import LegacyServer
    secret = password(os.urandom(12).hex())
    front = guard(backend(LegacyServer(answer=outcome.encode() + b" that is all")).address, limits={"login_delay": "0s"})
    only = getattr(ssl.TLSVersion, version)
    context = trusting(minimum_version=only, maximum_version=only)
    worker = front.workers()[0]
    plain = base64.b64encode(f"\0anna\0{secret}".encode())
    command = b"LOGIN anna " + secret.encode() if how == "LOGIN" else b"AUTHENTICATE PLAIN " + plain
    with front.plain().starttls(context) if listener == "starttls" else front.secure(context) as wire:
        assert wire.command(command).status.startswith(outcome.encode())
        assert wire.command(b"NOOP").status.startswith(b"OK")
        for needle in (secret.encode(), plain[8:-8]):
            assert not holds(worker, needle), "while the session lives"
    front.event("disconnect", rport=wire.port)
    for needle in (secret.encode(), plain[8:-8]):
        assert not holds(worker, needle), "after its end"
    assert not holds(front.process.pid, secret.encode())
