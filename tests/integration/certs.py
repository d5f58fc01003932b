"""Certificates for the tests, made by openssl: each is its own trust anchor."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}

CA_CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
copy_extensions = copy
policy = policy
[policy]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificate:
    chain: Path
    key: Path

    def settings(self):
        return {"chain": str(self.chain), "key": str(self.key)}


def _openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def make(folder, label, names=("DNS:localhost", "IP:127.0.0.1"), kind="ecdsa", issuer=None, extensions=()):
    """A certificate that is valid for the next 30 days; of an issuer, or self-signed."""
    made = Certificate(folder / f"{label}.pem", folder / f"{label}.key")
    common = names[0].partition(":")[2]
    options = ["-CA", issuer.chain, "-CAkey", issuer.key] if issuer else []
    for extension in ("subjectAltName=" + ",".join(names), *extensions):
        options += ["-addext", extension]
    _openssl("req", "-x509", *NEW_KEY[kind], "-nodes", "-keyout", made.key, "-out", made.chain,
             "-days", 30, "-subj", f"/CN={common}", *options)
    return made


def _make_dated(folder, label, start, end):
    """A certificate for localhost with these dates."""
    made = Certificate(folder / f"{label}.pem", folder / f"{label}.key")
    request = folder / f"{label}.csr"
    config = folder / "ca.cnf"
    config.write_text(CA_CONFIG.format(folder=folder))
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    _openssl("req", "-new", *NEW_KEY["ecdsa"], "-nodes", "-keyout", made.key, "-out", request,
             "-subj", f"/CN={label}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    _openssl("ca", "-selfsign", "-batch", "-notext", "-config", config, "-keyfile", made.key,
             "-in", request, "-out", made.chain, "-startdate", start, "-enddate", end)
    return made


def make_signed(folder, label, authority, names):
    """A certificate that `authority`, one of make(), has signed."""
    made = Certificate(folder / f"{label}.pem", folder / f"{label}.key")
    _openssl("req", "-x509", "-CA", authority.chain, "-CAkey", authority.key, *NEW_KEY["ecdsa"], "-nodes",
             "-keyout", made.key, "-out", made.chain, "-days", 30, "-subj", f"/CN={label}",
             "-addext", "subjectAltName=" + ",".join(names), "-addext", "basicConstraints=critical,CA:FALSE")
    return made


def make_expired(folder):
    """A certificate for localhost that ran out years ago."""
    return _make_dated(folder, "expired", "20200101000000Z", "20200201000000Z")


def make_early(folder):
    """A certificate for localhost that is not valid for years to come."""
    return _make_dated(folder, "early", "20980101000000Z", "20990101000000Z")


def lock(folder, certificate):
    """The key of a certificate with a passphrase on it."""
    locked = folder / f"{certificate.key.name}.locked"
    _openssl("pkey", "-in", certificate.key, "-aes256", "-passout", "pass:locked", "-out", locked)
    return locked
