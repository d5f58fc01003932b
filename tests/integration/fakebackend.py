"""A legacy server under a test's control: it records every byte that it gets, and misbehaves on request.

A script is a function of one Peer (one connection). LegacyServer is the script of a server that
behaves; its fields are what a test changes about it.
"""

import base64
import itertools
import os
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from waiting import PATIENCE, free_port, wait_for

CHUNK = 1 << 18


class Peer:
    """One connection that imapguard made."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(PATIENCE * 3)
        self.received = bytearray()
        self.login = None
        self.ended = threading.Event()
        self._read = 0

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        data = self.socket.recv(CHUNK)
        if not data:
            raise EOFError
        self.received += data

    def line(self):
        """The next line without its end."""
        while (end := self.received.find(b"\r\n", self._read)) < 0:
            self._fill()
        line = bytes(self.received[self._read:end])
        self._read = end + 2
        return line

    def take(self, size):
        while len(self.received) < self._read + size:
            self._fill()
        data = bytes(self.received[self._read:self._read + size])
        self._read += size
        return data

    def rest(self):
        """Everything up to the end of the connection."""
        try:
            while True:
                self._fill()
        except EOFError:
            data = bytes(self.received[self._read:])
            self._read = len(self.received)
            return data

    def wait_rest(self):
        """Read on until imapguard ends the connection, however it does."""
        self.rest()

    def start_tls(self, context):
        """Become the server's end of TLS; `received` goes on with what was encrypted."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def fin(self):
        self.socket.shutdown(socket.SHUT_WR)

    def all_read(self):
        """imapguard has read everything sent so far; a reset throws away what still waits in a socket."""
        ours, theirs = self.socket.getsockname()[1], self.socket.getpeername()[1]
        queued = 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            local, remote, _, queues = line.split()[1:5]
            ends = int(local[-4:], 16), int(remote[-4:], 16)
            unsent, unread = (int(size, 16) for size in queues.split(":"))
            queued += unsent * (ends == (ours, theirs)) + unread * (ends == (theirs, ours))
        return queued == 0

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class FakeBackend:
    """Listens until it is stopped; the n-th connection runs the n-th script, later ones the last."""

    def __init__(self, *scripts, path=None):
        self.scripts = scripts
        self.peers = []
        self.errors = []
        self.path = path
        self.port = None if path else free_port()
        self.address = f"unix:{path}" if path else f"127.0.0.1:{self.port}"
        self.listener = None

    def start(self):
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(self.path))
            os.chmod(self.path, 0o777)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(128)
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()
        return self

    def stop(self):
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for peer in self.peers:
            peer.socket.close()

    def _accept(self, listener):
        for number in itertools.count():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            peer = Peer(connection)
            self.peers.append(peer)
            script = self.scripts[min(number, len(self.scripts) - 1)]
            threading.Thread(target=self._run, args=[script, peer], daemon=True).start()

    def _run(self, script, peer):
        try:
            script(peer)
        except (EOFError, OSError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            peer.socket.close()
            peer.ended.set()

    def peer(self, number=0):
        """The n-th connection, once it is there."""
        return wait_for(lambda: len(self.peers) > number and self.peers[number],
                        f"connection {number} to the backend")


@dataclass
class Credentials:
    method: str
    user: bytes
    password: bytes
    initial_response: bool = False
    literal: bool = False
    authorization: bytes = b""


@dataclass
class LegacyServer:
    """A server that knows one login, and answers OK to whatever comes after it."""
    capability: bytes = b"IMAP4rev1 AUTH=PLAIN"
    greeting: bytes = b"* OK legacy ready.\r\n"
    starttls: ssl.SSLContext = None  # to offer it, and to insist on it
    implicit: ssl.SSLContext = None
    untagged: bytes = b""
    answer: bytes = b"OK Logged in."
    after: Callable = None

    def __call__(self, peer):
        if self.implicit:
            peer.start_tls(self.implicit)
        peer.send(self.greeting)
        encrypted = not self.starttls
        while True:
            tag, _, rest = peer.line().partition(b" ")
            credentials = self._login(peer, rest)
            if credentials:
                peer.login = credentials
                peer.send(self.untagged + tag + b" " + self.answer + b"\r\n")
                if self.answer.startswith(b"OK"):
                    (self.after or obey)(peer)
                    return
            elif rest.upper() == b"CAPABILITY":
                now = self.capability if encrypted else b"IMAP4rev1 STARTTLS LOGINDISABLED"
                peer.send(b"* CAPABILITY " + now + b"\r\n" + tag + b" OK done\r\n")
            elif rest.upper() == b"STARTTLS" and not encrypted:
                peer.send(tag + b" OK go on\r\n")
                peer.start_tls(self.starttls)
                encrypted = True
            elif rest.upper() == b"LOGOUT":
                peer.send(b"* BYE\r\n" + tag + b" OK done\r\n")
                return
            else:
                peer.send(tag + b" OK done\r\n")

    @staticmethod
    def _login(peer, command):
        verb, _, rest = command.partition(b" ")
        if verb.upper() == b"LOGIN":
            return _read_login(peer, rest)
        if verb.upper() == b"AUTHENTICATE":
            return _read_plain(peer, rest)
        return None


def _read_login(peer, rest):
    """The two strings of LOGIN: atoms, quoted ones or literals."""
    values, literal = [], False
    while len(values) < 2:
        if rest.startswith(b'"'):
            value, rest = _unquote(rest)
        elif rest.startswith(b"{"):
            literal = True
            size, _, mark = rest[1:].partition(b"}")
            assert not mark, f"bytes behind a literal's size: {rest}"
            if not size.endswith(b"+"):
                peer.send(b"+ go on\r\n")
            value = peer.take(int(size.rstrip(b"+")))
            rest = peer.line()
        else:
            value, space, rest = rest.partition(b" ")
            rest = space + rest
        values.append(value)
        if len(values) == 1:
            assert rest.startswith(b" "), f"no space after the user: {rest}"
            rest = rest[1:]
    assert not rest, f"more than two arguments to LOGIN: {rest}"
    return Credentials("LOGIN", *values, literal=literal)


def _unquote(text):
    value, position = bytearray(), 1
    while text[position:position + 1] != b'"':
        if text[position:position + 1] == b"\\":
            position += 1
        value += text[position:position + 1]
        position += 1
        assert position < len(text), f"a quoted string without an end: {text}"
    return bytes(value), text[position + 1:]


def _read_plain(peer, rest):
    mechanism, _, response = rest.partition(b" ")
    assert mechanism.upper() == b"PLAIN", mechanism
    initial = bool(response)
    if not initial:
        peer.send(b"+ \r\n")
        response = peer.line()
    authorization, user, password = base64.b64decode(response, validate=True).split(b"\0")
    return Credentials("PLAIN", user, password, initial, authorization=authorization)


def obey(peer):
    """After login: OK to every line, up to LOGOUT."""
    while True:
        tag, _, command = peer.line().partition(b" ")
        if command.upper() == b"LOGOUT":
            peer.send(b"* BYE so long\r\n" + tag + b" OK gone\r\n")
            return
        peer.send(tag + b" OK did " + command + b"\r\n")


def silent(peer):
    """Accept, and never say a word."""
    peer.wait_rest()


def says(data):
    """A script that sends this in place of a greeting, and then waits."""
    def script(peer):
        peer.send(data)
        peer.wait_rest()
    return script


def closes(peer):
    """End the connection at once."""


def endless(peer):
    """A greeting whose line never ends."""
    peer.send(b"* OK ")
    while True:
        peer.send(b"x" * 4096)


def server_context(certificate):
    """TLS as a server with that certificate speaks it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context
