"""Ends of TLS connections that send records which no library would send.

Python's ssl makes the handshake, and its key log tells the secrets. After the handshake each record is made and
opened here: AES-256-GCM with SHA-384, in TLS 1.2 (RFC 5246, RFC 5288) and in TLS 1.3 (RFC 8446).
"""

import contextlib
import hmac
import select
import ssl
import struct
import tempfile
import threading

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fakebackend import server_context
from waiting import PATIENCE
from wire import CHUNK, Wire, trusting

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
HELLO_REQUEST, CLIENT_HELLO, NEW_SESSION_TICKET, KEY_UPDATE = 0, 1, 4, 24
WARNING, CLOSE_NOTIFY, USER_CANCELED = 1, 0, 90
CIPHERS = "ECDHE+AES256+AESGCM"  # in TLS 1.3 ssl prefers the same
HASH, KEY_SIZE, RECORD_MAX = "sha384", 32, 16384


# --- the protection of records ---

def _expand(secret, label, size):
    """HKDF-Expand-Label without a context, for no more than one block of the hash (RFC 8446 7.1)."""
    label = b"tls13 " + label
    info = struct.pack("!HB", size, len(label)) + label + b"\0"
    return hmac.digest(secret, info + b"\1", HASH)[:size]


class Direction13:
    """One direction of TLS 1.3. An object either seals or opens."""

    def __init__(self, secret):
        self._use(secret)

    def _use(self, secret):
        self._secret = secret
        self._aead = AESGCM(_expand(secret, b"key", KEY_SIZE))
        self._iv = int.from_bytes(_expand(secret, b"iv", 12), "big")
        self._sequence = 0

    def _nonce(self):
        nonce = self._iv ^ self._sequence
        self._sequence += 1
        return nonce.to_bytes(12, "big")

    def seal(self, kind, content):
        header = struct.pack("!BHH", APPLICATION, 0x0303, len(content) + 17)
        return header + self._aead.encrypt(self._nonce(), content + bytes([kind]), header)

    def open(self, header, body):
        """The type and the content of a record."""
        inner = self._aead.decrypt(self._nonce(), body, header).rstrip(b"\0")
        return inner[-1], inner[:-1]

    def next_key(self):
        self._use(_expand(self._secret, b"traffic upd", 48))


class Direction12:
    """One direction of TLS 1.2, behind its Finished. An object either seals or opens."""

    def __init__(self, master, client_random, server_random, is_server):
        block = _key_block(master, b"key expansion" + server_random + client_random)
        self._aead = AESGCM(block[KEY_SIZE:2 * KEY_SIZE] if is_server else block[:KEY_SIZE])
        self._salt = block[2 * KEY_SIZE:][4 * is_server:][:4]
        self._sequence = 1

    def _additional(self, kind, size):
        sequence = self._sequence
        self._sequence += 1
        return struct.pack("!QBHH", sequence, kind, 0x0303, size)

    def seal(self, kind, content):
        additional = self._additional(kind, len(content))
        explicit = additional[:8]
        sealed = self._aead.encrypt(self._salt + explicit, content, additional)
        return struct.pack("!BHH", kind, 0x0303, len(sealed) + 8) + explicit + sealed

    def open(self, header, body):
        """The type and the content of a record."""
        explicit, sealed = body[:8], body[8:]
        return header[0], self._aead.decrypt(self._salt + explicit, sealed, self._additional(header[0], len(sealed) - 16))


def _key_block(master, seed):
    """The first octets of the PRF (RFC 5246 5)."""
    block, chain = b"", seed
    while len(block) < 2 * KEY_SIZE + 2 * 4:
        chain = hmac.digest(master, chain, HASH)
        block += hmac.digest(master, chain + seed, HASH)
    return block


def split_records(data):
    """The headers and bodies of whole records, and what is behind them."""
    records, at = [], 0
    while len(data) >= at + 5 and len(data) >= (end := at + 5 + int.from_bytes(data[at + 3:at + 5], "big")):
        records.append((data[at:at + 5], data[at + 5:end]))
        at = end
    return records, data[at:]


class KeyLog:
    """The secrets of the one connection that a context makes."""

    def __init__(self, context):
        self._file = tempfile.NamedTemporaryFile()
        context.keylog_filename = self._file.name

    def secrets(self):
        self._file.seek(0)
        lines = (line.split() for line in self._file.read().decode().splitlines())
        return {words[0]: bytes.fromhex(words[2]) for words in lines if words[0] != "#"}


# --- records ---

class Records:
    """One end of a connection after its handshake. Each record that is made must be sent, in the order of making."""

    key_updates_seen = 0
    _sealer = None

    def _take_over(self, tls, log, hellos, is_server, unread):
        """From here on records are made and opened here; `unread` came behind the handshake."""
        assert "AES" in tls.cipher()[0] and tls.cipher()[0].endswith("SHA384"), tls.cipher()
        secrets = log.secrets()
        if tls.version() == "TLSv1.3":
            ways = [Direction13(secrets[f"{side}_TRAFFIC_SECRET_0"]) for side in ("CLIENT", "SERVER")]
        else:
            # The random follows the headers of the record and of the message, and the version.
            randoms = [hello[11:43] for hello in hellos]
            ways = [Direction12(secrets["CLIENT_RANDOM"], *randoms, is_server=side) for side in (False, True)]
        self._sealer, self._opener = reversed(ways) if is_server else ways
        self._unread = unread

    def _opened(self, data):
        """The application data in what has come; None at a close_notify."""
        records, self._unread = split_records(self._unread + data)
        opened = b""
        for header, body in records:
            if header[0] == CHANGE_CIPHER_SPEC:
                continue
            kind, content = self._opener.open(header, body)
            if kind == APPLICATION:
                opened += content
            elif kind == HANDSHAKE and content[0] == KEY_UPDATE:
                self._opener.next_key()
                self.key_updates_seen += 1
            elif kind == ALERT and content[1] == CLOSE_NOTIFY:
                return opened or None
        return opened

    def send_records(self, records):
        self.socket.sendall(records)

    def data(self, data):
        """Application data in records of the usual size."""
        seal = self._sealer.seal
        return b"".join(seal(APPLICATION, data[at:at + RECORD_MAX]) for at in range(0, len(data), RECORD_MAX))

    def one_octet_records(self, data):
        seal = self._sealer.seal
        return b"".join(seal(APPLICATION, data[at:at + 1]) for at in range(len(data)))

    def empty_record(self):
        return self._sealer.seal(APPLICATION, b"")

    def warning_alert(self):
        return self._sealer.seal(ALERT, bytes([WARNING, USER_CANCELED]))

    def _message(self, kind, body):
        return self._sealer.seal(HANDSHAKE, bytes([kind]) + len(body).to_bytes(3, "big") + body)

    def key_update(self, requested=False):
        """TLS 1.3 only (RFC 8446 4.6.3)."""
        record = self._message(KEY_UPDATE, bytes([requested]))
        self._sealer.next_key()
        return record

    def client_hello(self):
        """TLS 1.2: asks for a renegotiation."""
        cipher, compression = b"\0\2\xc0\x2c", b"\1\0"
        return self._message(CLIENT_HELLO, b"\3\3" + bytes(32) + b"\0" + cipher + compression)

    def hello_request(self):
        """TLS 1.2: asks the client for a renegotiation."""
        return self._message(HELLO_REQUEST, b"")

    def ticket(self):
        lifetime, ticket = struct.pack("!I", 3600), b"\0\x20" + bytes(32)
        if isinstance(self._sealer, Direction12):
            return self._message(NEW_SESSION_TICKET, lifetime + ticket)
        age_add, nonce, extensions = bytes(4), b"\1\0", b"\0\0"
        return self._message(NEW_SESSION_TICKET, lifetime + age_add + nonce + ticket + extensions)


class HostileClient(Records, Wire):
    """A client of the implicit listener, after its greeting. It reads and sends as any Wire does."""

    def __init__(self, front, version, **options):
        super().__init__(("127.0.0.1", front.implicit_port), **options)
        self._server_hello = b""
        context = trusting(minimum_version=version, maximum_version=version)
        context.set_ciphers(CIPHERS)
        log = KeyLog(context)
        hello = self.hello(context)
        self.socket.sendall(hello)
        self.finish_handshake()
        self._take_over(self.tls, log, (hello, self._server_hello), False, self._incoming.read())
        greeting = self.line()
        assert greeting.startswith(b"* OK "), greeting

    def _received(self):
        data = super()._received()
        self._server_hello = self._server_hello or data
        return data

    def _decrypted(self):
        opened = self._opened(b"")
        while opened == b"":
            data = self._received()
            if not data:
                return b""
            opened = self._opened(data)
        if opened is None:
            self.end = "close_notify"
        return opened or b""

    def _send(self, data):
        self.send_records(self.data(data))


class HostileContext:
    """Stands where a fake backend takes an ssl.SSLContext: its connections become HostileServers."""

    def __init__(self, certificate, version, one_octet_handshake=False):
        self._options = certificate, version, one_octet_handshake

    def wrap_socket(self, connection, server_side):
        assert server_side
        return HostileServer(connection, *self._options)


class HostileServer(Records):
    """A socket that speaks TLS as a server, as ssl.SSLSocket does."""

    def __init__(self, connection, certificate, version, one_octet_handshake):
        self.socket = connection
        context = server_context(certificate)
        context.minimum_version = context.maximum_version = version
        context.num_tickets = 0  # they would use the keys that are ours after the handshake
        context.set_ciphers(CIPHERS)
        log = KeyLog(context)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        self._split = _OneOctet(log).split if one_octet_handshake else bytes
        hellos = self._handshake(tls, incoming, outgoing)
        self._take_over(tls, log, hellos, True, incoming.read())

    def __getattr__(self, name):
        return getattr(self.socket, name)

    def _handshake(self, tls, incoming, outgoing):
        """Returns the beginning of what came, and the beginning of what was sent."""
        came, went, done = b"", b"", False
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                done = True
            flight = outgoing.read()
            went = went or flight
            self.socket.sendall(self._split(flight))
            if done:
                return came, went
            data = self.socket.recv(CHUNK)
            if not data:
                raise EOFError
            came = came or data
            incoming.write(data)

    def recv(self, _):
        opened = self._opened(b"")
        while opened == b"":
            data = self.socket.recv(CHUNK)
            if not data:
                return b""
            opened = self._opened(data)
        return opened or b""

    def sendall(self, data):
        self.send_records(self.data(data))


class _OneOctet:
    """Gives each octet of a server's handshake a record of its own. In TLS 1.2 its Finished stays as it is."""

    def __init__(self, log):
        self._log = log
        self._opener = self._sealer = None
        self._ciphers_changed = False

    def split(self, flight):
        return b"".join(self._records(flight))

    def _records(self, flight):
        for header, body in split_records(flight)[0]:
            if header[0] == HANDSHAKE and not self._ciphers_changed:
                yield from (header[:3] + b"\0\1" + bytes([octet]) for octet in body)
            elif header[0] == APPLICATION:
                if not self._opener:
                    secret = self._log.secrets()["SERVER_HANDSHAKE_TRAFFIC_SECRET"]
                    self._opener, self._sealer = Direction13(secret), Direction13(secret)
                kind, content = self._opener.open(header, body)
                yield from (self._sealer.seal(kind, bytes([octet])) for octet in content)
            else:
                self._ciphers_changed |= header[0] == CHANGE_CIPHER_SPEC
                yield header + body


# --- floods ---

class Flood:
    """Sends records in a thread, and throws away what comes back until the connection ends, unless somebody reads it."""

    def __init__(self, end, records, drains=True):
        self.sent = 0  # octets that the kernel has taken
        self._size = len(records)
        self._ended, self._drains = threading.Event(), drains
        threading.Thread(target=self._run, args=[end.socket, memoryview(records)], daemon=True).start()

    def _run(self, connection, records):
        try:
            while self._drains or records:
                readable, writable, _ = select.select([connection] * self._drains, [connection] * bool(records), [], 0.1)
                if readable and not connection.recv(CHUNK):
                    break
                if writable:
                    size = connection.send(records[:CHUNK])
                    self.sent += size
                    records = records[size:]
        except (OSError, ValueError):  # ValueError: the test has closed it
            pass
        self._ended.set()

    def is_over(self):
        """Whether nothing more is sent."""
        return self.sent == self._size or self._ended.is_set()

    def wait(self):
        """Wait for the end of the connection."""
        assert self._ended.wait(PATIENCE * 2), "the connection did not end"
