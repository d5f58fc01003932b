"""The rows of src/proxy/fault.def: what can go wrong with a backend, and what the log has to say of it."""

import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "src" / "proxy" / "fault.def"
ROW = re.compile(r'^FAULT\(\w+, *"([a-z-]+)", *([A-Z]+), *(DOWN|KEEP), *(?:NEXT|LAST), ', re.MULTILINE)


@dataclass(frozen=True)
class Row:
    origin: str
    marks_down: bool


ROWS = {word: Row(origin.lower(), down == "DOWN") for word, origin, down in ROW.findall(TABLE.read_text())}


def failed_login(front, reason, **values):
    """The first login that failed, once it is in the log: for that reason, and with the origin of its row."""
    row = ROWS[reason]
    event = front.event("login-refused" if row.origin == "client" else "login-unavailable", **values)
    assert (event["reason"], event["origin"]) == (reason, row.origin)
    return event


def marked_down(front, reason, before_login=True):
    """The backend was marked down once, for that reason; or never, if its row says so or the login had been sent."""
    events = [(event["reason"], event["origin"]) for event in front.events("backend-down")]
    row = ROWS[reason]
    assert events == ([(reason, row.origin)] if row.marks_down and before_login else [])
