"""Fixtures: a folder, free ports and processes for each test, and the logs of a test that fails."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

import pytest

import certs
import tables
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot, TLSDovecot
from fakebackend import FakeBackend, LegacyServer
from guard import Guard, guards
from secrets_in_logs import password
from waiting import SANITIZED

TEST_DEADLINE = 300 if SANITIZED else 120
NUMBERS = itertools.count(1)


def _folder(label):
    """A folder that any account may search: workers and Dovecot run as others than we do."""
    folder = Path(tempfile.mkdtemp(prefix=f"imapguard-{label}-"))
    folder.chmod(0o755)
    return folder


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for path in getattr(item, "logs", []):
            if path.is_file():
                text = path.read_text(errors="backslashreplace")
                report.sections.append((path.name, text[-20000:]))


def pytest_report_header():
    return f"imapguard: {os.environ.get('IMAPGUARD')}" + (", sanitized" if SANITIZED else "")


@pytest.fixture(autouse=True)
def deadline():
    """No test hangs for ever."""
    def expire(*_):
        raise TimeoutError(f"the test took longer than {TEST_DEADLINE} s")
    signal.signal(signal.SIGALRM, expire)
    signal.alarm(TEST_DEADLINE)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("IMAPGUARD")
    if not path:
        pytest.exit("IMAPGUARD must name the program to test", returncode=4)
    return str(Path(path).resolve())


@pytest.fixture(scope="session")
def vault():
    """A folder for the certificates of the whole run."""
    folder = _folder("certs")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def certificate(vault):
    """An ECDSA certificate for localhost."""
    return certs.make(vault, "localhost")


@pytest.fixture(scope="session")
def rsa_certificate(vault):
    """An RSA certificate for localhost."""
    return certs.make(vault, "localhost-rsa", kind="rsa")


@pytest.fixture(scope="session")
def geoip_folder():
    """GeoIP databases that know loopback addresses, and damaged ones."""
    folder = _folder("geoip")
    script = Path(__file__).parent.parent / "geoip" / "make-databases"
    subprocess.run(["perl", script, folder], check=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place():
    folder = _folder("test")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def logs(request):
    """Files that are shown when the test fails."""
    request.node.logs = []
    return request.node.logs


@pytest.fixture
def guard(binary, place, certificate, logs):
    """Starts imapguards that end with the test: guard(backend address, settings...)."""
    def make(backend, certificates=None, **settings):
        return Guard(binary, place, backend, certificates or [certificate], **settings)

    yield from guards(make, logs)


@pytest.fixture
def backend(place):
    """Starts fake backends that end with the test: backend(scripts...)."""
    started = []

    def start(*scripts, **options):
        this = FakeBackend(*(scripts or [LegacyServer()]), **options)
        started.append(this)
        return this.start()

    yield start
    for this in started:
        this.stop()
    errors = [error for this in started for error in this.errors]
    assert not errors, f"the backend's scripts failed: {errors}"


@pytest.fixture(scope="session")
def dovecot_server():
    folder = _folder("dovecot")
    server = Dovecot(folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def dovecot(dovecot_server, logs):
    logs.append(dovecot_server.log)
    return dovecot_server


LEGACY_USERS = {"anna": password(), "ben": password(" \"two\\words\"")}


def _serve(make, label):
    """A server in a folder of its own, from its start to the end of the module's tests."""
    folder = _folder(label)
    server = make(folder)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cyrus_server(certificate):
    yield from _serve(lambda folder: Cyrus(folder, certificate, LEGACY_USERS), "cyrus")


@pytest.fixture(scope="module")
def courier_server(certificate):
    yield from _serve(lambda folder: Courier(folder, certificate, LEGACY_USERS), "courier")


@pytest.fixture(scope="module")
def tls_dovecot_server(certificate):
    yield from _serve(lambda folder: TLSDovecot(folder, certificate, LEGACY_USERS), "tls-dovecot")


@pytest.fixture(scope="module")
def strict_dovecot(certificate):
    """Takes no password without TLS: not even from this host, since it is reached at another address than one's own."""
    yield from _serve(lambda folder: TLSDovecot(folder, certificate, LEGACY_USERS, trusted="", host="127.0.0.2", extra=(
        "ssl = required\ndisable_plaintext_auth = yes\n")), "strict-dovecot")


@pytest.fixture
def tls_dovecot(tls_dovecot_server, logs):
    logs.append(tls_dovecot_server.log)
    return tls_dovecot_server


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """A worker of pytest-xdist has come to its end."""
    tables.add(getattr(node, "workeroutput", {}).get("tables", {}))


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tables"] = tables.cells()


def pytest_terminal_summary(terminalreporter):
    """Tables that tests have filled in."""
    for line in tables.lines():
        terminalreporter.write_line(line)


@pytest.fixture
def account(dovecot, request):
    """A user of Dovecot that only this test knows: (name, password)."""
    user, secret = f"{request.node.originalname}-{next(NUMBERS)}", password()
    dovecot.add_user(user, secret)
    return user, secret
