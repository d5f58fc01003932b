"""Limits and bans of client networks, over all workers, with real connections from loopback addresses."""

import signal
import threading
import time

import pytest

from fakebackend import LegacyServer
from waiting import SANITIZED, wait_for
from wire import Wire

HERE, THERE = "127.0.7.1", "127.0.8.1"


def knock(front, source, **options):
    """What a client from there hears first."""
    with front.connect(source=source, **options) as wire:
        return wire.line_or_end()


def fail(front, source, secret=b"wrong", user=b"anna"):
    """What a login with a wrong password hears: its answer, or the end when the network is banned meanwhile."""
    with front.secure(source=source) as wire:
        wire.send(b"a LOGIN " + user + b" " + secret + b"\r\n")
        return wire.line()[2:]


@pytest.fixture
def refusing(backend):
    """A backend that refuses every login."""
    return backend(LegacyServer(answer=b"NO wrong"))


def test_sessions_at_one_time(guard, backend):
    front = guard(backend().address, workers=2, limits={"sessions": 3})
    held = [front.plain(source=HERE) for _ in range(3)]
    assert knock(front, HERE) == b"* BYE [LIMIT] Too many connections from your network."
    with Wire(("127.0.0.1", front.implicit_port), source=HERE) as wire:
        assert wire.rest() == b""
    assert front.event("limited", rip=HERE)["reason"] == "sessions"
    assert knock(front, THERE).startswith(b"* OK"), "another network is not concerned"
    for wire in held:
        wire.close()
    wait_for(lambda: knock(front, HERE).startswith(b"* OK"), "room again")


def test_networks_are_counted_by_prefix(guard, backend):
    front = guard(backend().address, limits={"sessions": 1, "ipv4_prefix": 24})
    with front.plain(source="127.0.7.1"):
        assert knock(front, "127.0.7.200").startswith(b"* BYE [LIMIT]")
        assert knock(front, "127.0.8.1").startswith(b"* OK")


def test_connection_rate(guard, backend):
    front = guard(backend().address, workers=2, limits={"connection_rate": "5/1h"})
    answers = [knock(front, HERE)[:4] for _ in range(8)]
    assert answers == [b"* OK"] * 5 + [b""] * 3
    limited = front.event("limited", rip=HERE)
    assert limited["reason"] == "connection-rate"
    assert len(front.events("limited", rip=HERE)) == 1, "told once a minute"


def test_failed_logins_ban_and_bans_end(guard, refusing):
    front = guard(refusing.address, workers=2, limits={"login_failures": "2/10m", "ban_time": "2s"})
    waiting = front.plain(source=HERE)
    for number in range(2):
        assert fail(front, HERE, b"guess%d" % number).startswith(b"NO [AUTHENTICATIONFAILED]")
    assert fail(front, HERE, b"another").startswith(b"NO [CONTACTADMIN]")
    assert len([peer for peer in refusing.peers if peer.login]) == 2, "the backend never saw it"
    ban = front.event("banned", rip=HERE)
    assert ban["network"] == HERE and ban["duration"] == "2" and ban["level"] == "1"
    assert waiting.rest().startswith(b"* BYE"), "who has not logged in goes"
    assert knock(front, HERE) == b""
    assert knock(front, THERE).startswith(b"* OK")
    front.event("unbanned", network=HERE)
    wait_for(lambda: knock(front, HERE).startswith(b"* OK"), "the end of the ban")
    for number in range(3):
        fail(front, HERE, b"again%d" % number)
    assert front.event("banned", rip=HERE, level=2)["duration"] == "4", "it doubles"


def test_a_ban_spares_who_has_logged_in(guard, backend):
    server = backend(LegacyServer(), LegacyServer(answer=b"NO wrong"))
    front = guard(server.address, limits={"login_failures": "1/10m"})
    with front.session(source=HERE) as wire:
        for number in range(2):
            fail(front, HERE, b"guess%d" % number)
        front.event("banned", rip=HERE)
        wait_for(lambda: knock(front, HERE) == b"", "the ban")
        time.sleep(1.2)  # longer than workers take to look for bans
        assert wire.command(b"NOOP").status.startswith(b"OK")


def test_one_stale_phone_bans_nobody(guard, refusing):
    front = guard(refusing.address, workers=2, limits={"login_failures": "2/10m", "login_delay": "0s"})
    for _ in range(8):
        assert fail(front, HERE, b"old").startswith(b"NO [AUTHENTICATIONFAILED]")
    assert not front.events("banned")
    assert len(front.events("login-failed")) == 8


def test_trouble_of_the_backend_bans_nobody(guard, place):
    front = guard(f"unix:{place}/nobody-listens", limits={"login_failures": "1/10m"})
    for number in range(6):
        assert fail(front, HERE, b"guess%d" % number).startswith(b"NO [UNAVAILABLE]")
    assert not front.events("banned") and knock(front, HERE).startswith(b"* OK")


def test_limits_false_beats_every_limit_and_ban(guard, refusing):
    front = guard(refusing.address,
                  access=[{"name": "office", "action": "allow", "networks": ["127.0.7.0/24"], "limits": False}],
                  limits={"login_failures": "1/10m", "sessions": 1, "connection_rate": "2/1h", "login_delay": "0s"})
    held = [front.plain(source=HERE) for _ in range(5)]
    for number in range(4):
        assert fail(front, HERE, b"guess%d" % number).startswith(b"NO [AUTHENTICATIONFAILED]")
    assert not front.events("banned") and not front.events("limited")
    for wire in held:
        assert wire.command(b"NOOP").status.startswith(b"OK")
        wire.close()


def test_bans_survive_a_restart(guard, refusing, place):
    state = place / "bans count=9 rip=192.0.2.1"  # a name that would forge keys if it were not quoted
    settings = {"limits": {"login_failures": "1/10m", "state_file": str(state)}}
    front = guard(refusing.address, **settings)
    for number in range(2):
        fail(front, HERE, b"guess%d" % number)
    front.event("banned", rip=HERE)
    wait_for(lambda: state.exists() and HERE in state.read_text(), "the ban in the file")
    front.stop(signal.SIGTERM)
    again = guard(refusing.address, **settings)
    assert again.event("bans-restored", path=state)["count"] == "1"
    assert knock(again, HERE) == b"" and knock(again, THERE).startswith(b"* OK")
    again.stop(signal.SIGTERM)
    state.write_text(state.read_text().replace("end 2", "by hand\nend 2"))
    damaged = guard(refusing.address, **settings)
    assert damaged.event("ban-file-damaged", path=state, skipped=2)["line"] == "4"
    assert knock(damaged, HERE) == b"" and knock(damaged, THERE).startswith(b"* OK")


def test_a_hammered_network_never_exceeds_its_limits(guard, backend):
    """Four workers, 64 clients of one network; workers are killed in the middle; nothing is left at the end."""
    limit, rate, seconds = 20, 600, 8 if SANITIZED else 15
    front = guard(backend().address, workers=4, log={"level": "info"},
                  limits={"sessions": limit, "connection_rate": f"{rate}/10s"})
    lock, stopping, inside, most = threading.Lock(), threading.Event(), set(), [0]
    accepted, refused = [], []

    def client(number):
        while not stopping.is_set():
            try:
                with front.connect(source=HERE) as wire:
                    answer = wire.line_or_end()
                    if not answer.startswith(b"* OK"):
                        if not answer:
                            refused.append(time.monotonic())
                        time.sleep(0.002)
                        continue
                    with lock:
                        accepted.append(time.monotonic())
                        inside.add(wire)
                        most[0] = max(most[0], len(inside))
                    time.sleep(0.02)
                    with lock:
                        inside.discard(wire)
            except (OSError, AssertionError):
                pass

    threads = [threading.Thread(target=client, args=[number]) for number in range(64)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 3)
    for pid in front.workers()[:2]:
        front.kill_worker(pid)
    time.sleep(seconds * 2 / 3)
    stopping.set()
    for thread in threads:
        thread.join()
    assert most[0] <= limit, most
    assert len(accepted) > rate, "what may come at once has come"
    # Not the first second: what was allowed at once is seen only by and by.
    steady = sorted(time for time in accepted if time > min(refused) + 1)
    span = steady[-1] - steady[0]
    print(f"{len(steady)} in {span:.3f} s")
    assert abs((len(steady) - 1) / (span * rate / 10) - 1) < 0.01, (len(steady), span)
    wait_for(lambda: len(front.workers()) == 4, "all workers again")
    time.sleep(11 * limit / rate)
    held = []
    wait_for(lambda: fill(front, held) == limit, "room for as many as ever")
    for wire in held:
        wire.close()


def fill(front, held):
    """Adds a session to those held if there is room; how many are held."""
    wire = front.connect(source=HERE)
    if wire.line_or_end().startswith(b"* OK"):
        held.append(wire)
    else:
        wire.close()
        time.sleep(0.05)
    return len(held)


def test_idle_connections_keep_nobody_out(guard, backend):
    """All places are taken by one network that does not log in; who logs in finds one, and who has keeps it."""
    front = guard(backend().address, workers=1, max_sessions=30, limits={"sessions": 1000})
    with front.session(source=THERE) as kept:
        idle = [front.connect(source=HERE) for _ in range(60)]
        for _ in range(5):
            with front.session(source=THERE) as wire:
                assert wire.command(b"NOOP").status.startswith(b"OK")
        assert kept.command(b"NOOP").status.startswith(b"OK")
        shed = {event["rip"] for event in front.events("disconnect", reason="shed")}
        assert shed == {HERE}
        heard = idle[0].rest()
        assert heard.endswith(b"* BYE [UNAVAILABLE] The server is full.\r\n"), heard
        for wire in idle:
            wire.close()


def test_the_last_places_are_for_networks_that_have_none(guard, backend):
    """One network has logged in as often as it may; a tenth of the places is not for it."""
    front = guard(backend().address, workers=2, max_sessions=20, limits={"sessions": 1000})
    kept = []
    for _ in range(18):
        session = front.session(source=HERE)
        session.__enter__()
        kept.append(session)
    with front.connect(source=HERE) as wire:
        assert wire.line_or_end() == b"* BYE [LIMIT] The server is nearly full, and your network has a session already."
    assert front.event("limited", rip=HERE)["reason"] == "crowded"
    with front.session(source=THERE) as wire:
        assert wire.command(b"NOOP").status.startswith(b"OK")
        with front.connect(source=THERE) as second:
            assert second.line_or_end().startswith(b"* BYE [LIMIT]"), "it has one now"
        with front.session(source="127.0.9.1"):
            pass
    for session in kept:
        session.__exit__(None, None, None)


def test_good_clients_make_no_room_for_a_network_that_has_more(guard, backend):
    """One whose sessions wait for a challenge, so that none of them seems idle, comes again and again."""
    def challenges(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] ready\r\n")
        peer.line()
        peer.send(b"+ PDFAbGVnYWN5Pg==\r\n")
        peer.wait_rest()

    front = guard(backend(challenges).address, workers=1, max_sessions=30,
                  capabilities=["IMAP4rev1", "AUTH=CRAM-MD5"], limits={"sessions": 1000, "challenge_timeout": "30s"})
    good = [front.secure(source=f"127.0.9.{number}") for number in range(1, 11)]
    held = [front.secure(source=HERE) for _ in range(17)]
    for wire in held:
        wire.send(b"a AUTHENTICATE CRAM-MD5\r\n")
    wait_for(lambda: len(front.events("state", to="CHALLENGE")) == 10, "all places of one network")
    for _ in range(20):
        with front.connect(source=HERE) as wire:
            wire.line_or_end()
    for wire in good:
        assert wire.command(b"NOOP").status.startswith(b"OK")
    for number in range(11, 16):
        good.append(front.secure(source=f"127.0.9.{number}"))
    assert {event["rip"] for event in front.events("disconnect", reason="shed")} <= {HERE}
    for wire in [*good, *held]:
        wire.close()


def test_those_who_wait_for_a_delay_make_room(guard, backend):
    """Else delays would hold places for nothing, and good clients would make room for each other."""
    front = guard(backend(LegacyServer(answer=b"NO wrong")).address, workers=1, max_sessions=20,
                  limits={"sessions": 1000, "login_delay": "30s", "login_delay_max": "30s", "login_failures": "1000/10m"})
    held = [front.secure(source=HERE) for _ in range(18)]
    for number, wire in enumerate(held):
        wire.send(b"a LOGIN anna wrong%d\r\n" % number)
    wait_for(lambda: len(front.events("login-failed")) == 18, "the delays")
    good = [front.plain(source=f"127.0.9.{number}") for number in range(1, 9)]
    for wire in good:
        assert wire.command(b"NOOP").status.startswith(b"OK")
    assert {event["rip"] for event in front.events("disconnect", reason="shed")} == {HERE}
    for wire in [*held, *good]:
        wire.close()


def test_clients_behind_a_load_balancer_that_are_refused_shed_nobody(guard, backend):
    """Nobody who is alone in a network makes room for a client whose PROXY header is not read yet."""
    front = guard(backend().address, workers=1, max_sessions=10, listeners={"proxy_protocol": ["127.0.0.1"]},
                  access=[{"name": "no", "action": "deny", "networks": ["192.0.2.0/24"]}], limits={"sessions": 1000})

    def behind(address):
        return Wire(("127.0.0.1", front.starttls_port), header=b"PROXY TCP4 %s 127.0.0.1 1 2\r\n" % address)
    good = [behind(b"198.51.100.%d" % number) for number in range(10)]
    for wire in good:
        assert wire.line().startswith(b"* OK")
    for number in range(10):
        with behind(b"192.0.2.%d" % number) as wire:
            wire.rest()
    for wire in good:
        assert wire.command(b"NOOP").status.startswith(b"OK")
        wire.close()


def test_a_network_makes_room_for_its_own(guard, backend):
    """It has logged in, too; what is idle there is replaced by what comes."""
    front = guard(backend().address, workers=1, max_sessions=10, limits={"sessions": 1000})
    with front.session(source=HERE) as kept:
        idle = [front.plain(source=HERE) for _ in range(8)]
        for _ in range(3):
            with front.session(source=HERE) as wire:
                assert wire.command(b"NOOP").status.startswith(b"OK")
        assert kept.command(b"NOOP").status.startswith(b"OK")
        for wire in idle:
            wire.close()


def test_nobody_makes_room_for_those_who_are_refused(guard, backend):
    front = guard(backend().address, workers=1, max_sessions=10, limits={"sessions": 1000},
                  access=[{"name": "here", "action": "deny", "networks": [HERE]}])
    idle = [front.plain(source=f"127.0.9.{number}") for number in range(1, 10)]
    for _ in range(5):
        with front.connect(source=HERE) as wire:
            assert wire.line_or_end() == b""
    assert not front.events("disconnect", reason="shed"), "for one who is let in, a session would be"
    for wire in idle:
        assert wire.command(b"NOOP").status.startswith(b"OK")
    for wire in idle:
        wire.close()


def test_a_backend_keeps_places_for_networks_that_have_none(guard, backend):
    front = guard(backend().address, workers=2, backend_settings={"max_sessions": 10}, limits={"sessions": 1000})
    kept = []
    for _ in range(9):
        session = front.session(source=HERE)
        session.__enter__()
        kept.append(session)
    with front.secure(source=HERE) as wire:
        assert wire.command(b"LOGIN anna Geheim47").status.startswith(b"NO [UNAVAILABLE]")
    assert front.event("login-unavailable", rip=HERE)["reason"] == "max-sessions"
    with front.session(source=THERE) as wire:
        assert wire.command(b"NOOP").status.startswith(b"OK")
    for session in kept:
        session.__exit__(None, None, None)


def test_of_those_who_do_not_log_in_the_greediest_network_makes_room(guard, backend):
    front = guard(backend().address, workers=1, max_sessions=12, limits={"sessions": 1000})
    few = [front.plain(source=THERE) for _ in range(2)]
    many = [front.plain(source=HERE) for _ in range(10)]
    more = [front.plain(source=f"127.0.9.{number}") for number in range(1, 5)]
    assert [event["rip"] for event in front.events("disconnect", reason="shed")] == [HERE] * 4
    for wire in [*few, *more]:
        assert wire.command(b"NOOP").status.startswith(b"OK")
    for wire in [*few, *many, *more]:
        wire.close()
