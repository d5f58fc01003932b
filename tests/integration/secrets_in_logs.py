"""Passwords of the tests all hold one marker, so that any of them can be found in any log."""

import base64
import re

MARKER = "Geheim47"


def password(rest=""):
    return MARKER + rest


def _encodings():
    """The marker as it stands, and as base64 shows it at each of the three alignments."""
    yield MARKER
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + MARKER.encode()).decode()
        start = (before * 8 + 5) // 6
        yield encoded[start:start + (len(MARKER) * 8 - 7) // 6]


_PATTERN = re.compile("|".join(re.escape(form) for form in _encodings()))


def leaked(text):
    """The lines that show a password."""
    return [line for line in text.splitlines() if _PATTERN.search(line)]
