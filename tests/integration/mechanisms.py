"""The client's side of the SASL mechanisms, as imaplib's authenticate() wants it: challenge in, response out."""

import base64
import hashlib
import hmac
import secrets

from dovecot import token


def plain(user, password):
    return lambda _: b"\0" + user.encode() + b"\0" + password.encode()


def login(user, password):
    answers = iter((user, password))
    return lambda _: next(answers).encode()


def cram_md5(user, password):
    """RFC 2195."""
    return lambda challenge: user.encode() + b" " + hmac.new(password.encode(), challenge, "md5").hexdigest().encode()


def xoauth2(user, _):
    first = iter((f"user={user}\1auth=Bearer {token(user)}\1\1".encode(),))
    return lambda _: next(first, b"")


def oauthbearer(user, _):
    """RFC 7628; a challenge after the first message is an error, and is answered by one octet."""
    first = iter((f"n,a={user},\1host=localhost\1auth=Bearer {token(user)}\1\1".encode(),))
    return lambda _: next(first, b"\1")


def scram(name):
    """RFC 5802, with the server's signature verified."""
    def start(user, password):
        nonce = base64.b64encode(secrets.token_bytes(12)).decode()
        bare = f"n={user},r={nonce}"
        state = {}

        def answer(challenge):
            if not state:
                state["step"] = 1
                return f"n,,{bare}".encode()
            if state["step"] == 1:
                state["step"] = 2
                fields = dict(item.split("=", 1) for item in challenge.decode().split(","))
                assert fields["r"].startswith(nonce)
                salted = hashlib.pbkdf2_hmac(name, password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
                final = f"c=biws,r={fields['r']}"
                message = f"{bare},{challenge.decode()},{final}".encode()
                key = hmac.digest(salted, b"Client Key", name)
                signature = hmac.digest(hashlib.new(name, key).digest(), message, name)
                state["server"] = hmac.digest(hmac.digest(salted, b"Server Key", name), message, name)
                proof = bytes(a ^ b for a, b in zip(key, signature))
                return f"{final},p={base64.b64encode(proof).decode()}".encode()
            assert challenge == b"v=" + base64.b64encode(state["server"]), "the server does not know the password"
            return b""
        return answer
    return start


RESPONDERS = {
    "PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5, "SCRAM-SHA-1": scram("sha1"),
    "SCRAM-SHA-256": scram("sha256"), "XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer,
}
