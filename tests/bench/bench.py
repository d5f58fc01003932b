"""What the benchmarks share: the tests' own helpers, an imapguard with one worker, and its processes."""

import contextlib
import resource
import shutil
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

import certs
from guard import Guard


@contextlib.contextmanager
def running(binary, backend, **settings):
    """An imapguard with one worker in front of this backend, quiet and without limits, for as long as the block lasts."""
    settings.setdefault("access", [{"name": "bench", "action": "allow", "limits": False}])
    folder = Path(tempfile.mkdtemp(prefix="imapguard-bench-"))
    folder.chmod(0o755)
    guard = Guard(binary, folder, backend, [certs.make(folder, "localhost")], workers=1, **settings)
    try:
        yield guard.start()
        guard.check()
    finally:
        guard.destroy()
        shutil.rmtree(folder)


def raise_descriptor_limit():
    """As many descriptors as there may be; imapguard inherits them. Returns their number."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def binary_from(arguments):
    if len(arguments) < 2:
        sys.exit(f"usage: {arguments[0]} PATH-OF-IMAPGUARD")
    return str(Path(arguments[1]).resolve())
