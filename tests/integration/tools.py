"""Command line clients that the tests run, and what they say."""

import subprocess

from waiting import PATIENCE


def run(*argv, data=b"", seconds=PATIENCE * 3):
    """Run a program to its end; its two outputs come together."""
    return subprocess.run([str(word) for word in argv], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=seconds, check=False)


def s_client(port, *options, data=b""):
    """openssl s_client; returns its exit status and all that it printed."""
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options, data=data)
    return done.returncode, done.stdout.decode(errors="replace")


def curl(certificate, url, account, *options):
    """curl, whose only trust anchor is this certificate; returns what it printed to stdout."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", str(certificate.chain), "--max-time", "60",
         "--user", ":".join(account), *map(str, options), url],
        capture_output=True, check=False)
    assert done.returncode == 0, f"curl ended with {done.returncode}: {done.stderr.decode()}"
    return done.stdout
