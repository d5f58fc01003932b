"""An IMAP client that a test holds by the hand: it sends the bytes it is told to, split as it is told to.

TLS runs over memory buffers, so that a test may put a ClientHello into any segment, half-close
either layer, and tell a close_notify from a bare end of the connection.
"""

import socket
import ssl
import time
from dataclasses import dataclass

from waiting import PATIENCE

CHUNK = 1 << 18


@dataclass
class Reply:
    """The untagged lines before a tagged one, and the tagged one without its tag."""
    untagged: list
    status: bytes


def trusting(certificate=None, **attributes):
    """A TLS context for a client: one that trusts this certificate only, or any if there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if certificate:
        context.load_verify_locations(certificate.chain)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


class Wire:
    def __init__(self, address, patience=PATIENCE, receive_buffer=None, source=None, header=b""):
        """`source` is the address to come from; `header` is sent first, such as a PROXY header."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience)
        if source:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((source, 0))
        self.socket.connect(address)
        if family == socket.AF_INET:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            source, self.port = self.socket.getsockname()
            self.sources = {source}  # more than one for a session that a PROXY header renames
        self.tls = None
        self.buffer = bytearray()
        self.end = None
        self.trickling = False
        self._tags = 0
        if header:
            self.socket.sendall(header)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- bytes out ---

    def send(self, data):
        if self.trickling:
            self.trickle(data)
        else:
            self._send(data)

    def _send(self, data):
        if self.tls:
            view = memoryview(data)
            while view:
                view = view[self.tls.write(view[:CHUNK]):]
                self._flush()
        else:
            self.socket.sendall(data)

    def trickle(self, data):
        """Send byte by byte, each in a segment (and a TLS record) of its own."""
        for byte in data:
            self._send(bytes([byte]))
            time.sleep(0.001)

    def _flush(self):
        data = self._outgoing.read()
        if data:
            self.socket.sendall(data)

    # --- bytes in ---

    def _fill(self):
        """Take in what comes next; False at the end of the connection, whose kind `end` then names."""
        if self.end:
            return False
        data = self._decrypted() if self.tls else self._received()
        self.buffer += data
        return bool(data)

    def _received(self):
        try:
            data = self.socket.recv(CHUNK)
        except ConnectionError:
            self.end = "reset"
            return b""
        if not data:
            self.end = "fin"
        return data

    def _decrypted(self):
        while True:
            try:
                data = self.tls.read(CHUNK)
            except ssl.SSLWantReadError:
                self._flush()
                data = self._received()
                if not data:
                    return b""
                self._incoming.write(data)
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                self.end = "close_notify"
            return data

    def line(self):
        """The next line without its end."""
        while b"\n" not in self.buffer:
            assert self._fill(), f"connection ended ({self.end}) with {bytes(self.buffer[-200:])}"
        line, _, rest = bytes(self.buffer).partition(b"\n")
        assert line.endswith(b"\r"), f"line without CR: {line}"
        self.buffer[:] = rest
        return line[:-1]

    def line_or_end(self):
        """The next line, or nothing when the connection ends before one."""
        while b"\n" not in self.buffer and self._fill():
            pass
        return self.line() if self.buffer else b""

    def take(self, size):
        """Exactly that many bytes."""
        while len(self.buffer) < size:
            assert self._fill(), f"connection ended ({self.end}) after {len(self.buffer)} of {size} bytes"
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def skip(self, size):
        """Read that many bytes and forget them."""
        size -= len(self.buffer)
        self.buffer.clear()
        while size > 0:
            assert self._fill(), f"connection ended ({self.end}), {size} bytes too early"
            size -= len(self.buffer)
            if size >= 0:
                self.buffer.clear()
        if size < 0:
            del self.buffer[:size]

    def rest(self):
        """Everything up to the end of the connection."""
        while self._fill():
            pass
        data = bytes(self.buffer)
        self.buffer.clear()
        return data

    # --- IMAP ---

    def reply(self, tag):
        """Read up to the answer of this tag."""
        untagged = []
        while True:
            line = self.line()
            first, _, status = line.partition(b" ")
            if first == tag:
                return Reply(untagged, status)
            assert first == b"*", f"neither untagged nor tagged {tag}: {line}"
            untagged.append(status)

    def command(self, text):
        """Send a command under a new tag and read its answer."""
        self._tags += 1
        tag = b"t%d" % self._tags
        self.send(tag + b" " + text + b"\r\n")
        return self.reply(tag)

    def challenged(self, data):
        """Send, and expect to be asked for more."""
        self.send(data)
        line = self.line()
        assert line.startswith(b"+"), line

    def starttls(self, context=None, name="localhost"):
        status = self.command(b"STARTTLS").status
        assert status.startswith(b"OK "), status
        self.handshake(context, name)
        return self

    # --- TLS ---

    def hello(self, context=None, name="localhost", session=None):
        """Begin TLS, and return the ClientHello instead of sending it."""
        assert not self.buffer, f"plaintext before TLS: {bytes(self.buffer)}"
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._pending = (context or trusting()).wrap_bio(self._incoming, self._outgoing,
                                                         server_hostname=name, session=session)
        try:
            self._pending.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read()
        raise AssertionError("a handshake without a server")

    def finish_handshake(self):
        """Go on after the ClientHello; what is in the buffer already is the server's."""
        self._incoming.write(bytes(self.buffer))
        self.buffer.clear()
        while True:
            try:
                self._pending.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                data = self._received()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                self._flush()
                raise
        self._flush()
        self.tls = self._pending

    def handshake(self, context=None, name="localhost", session=None):
        self.socket.sendall(self.hello(context, name, session))
        self.finish_handshake()
        return self

    # --- ends ---

    def close_notify(self):
        """Say in TLS that nothing more comes from here, and go on reading."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()

    def fin(self):
        """Say in TCP that nothing more comes from here, and go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Tear the connection down with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self):
        self.socket.close()
