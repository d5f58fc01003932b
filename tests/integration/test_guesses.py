"""Nobody guesses for free: what backends judge is what the limits say, whatever a guesser does. And nobody pays for it."""

import base64
import hashlib
import hmac
import threading
import time

import pytest

from fakebackend import LegacyServer, obey, silent
from waiting import PATIENCE, wait_for

HERE, THERE = "127.0.7.1", "127.0.8.1"
PASSWORD = b"Geheim47"
WIDE = {"sessions": 1000, "connection_rate": "100000/1m", "login_attempts": 1000, "login_delay": "0s"}
LIMIT = 5


class Judge:
    """A backend that takes its time, counts what it has judged, and refuses in its own way."""

    def __init__(self, seconds=0.2, refusal=b"NO wrong"):
        self.seconds, self.refusal = seconds, refusal
        self.judged, self.lock = [], threading.Lock()

    def __call__(self, peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5] ready\r\n")
        while True:
            tag, _, rest = peer.line().partition(b" ")
            if rest.upper().startswith(b"AUTHENTICATE CRAM-MD5"):
                peer.send(b"+ " + base64.b64encode(b"<1@legacy>") + b"\r\n")
                secret = base64.b64decode(peer.line())
                right = secret == cram(b"anna", PASSWORD)
            elif rest.upper().startswith(b"LOGIN"):
                secret = rest
                right = rest.endswith(b'"%s"' % PASSWORD)
            else:
                peer.send(b"* CAPABILITY IMAP4rev1 AUTH=CRAM-MD5\r\n" + tag + b" OK done\r\n")
                continue
            with self.lock:
                self.judged.append(secret)
            time.sleep(self.seconds)
            if right:
                peer.send(tag + b" OK right\r\n")
                return obey(peer)
            if not self.refusal:
                return peer.wait_rest()
            if self.refusal == b"closes":
                return None
            peer.send(self.refusal + b"\r\n" if self.refusal.startswith(b"*") else tag + b" " + self.refusal + b"\r\n")


def cram(user, password):
    return user + b" " + hmac.new(password, b"<1@legacy>", hashlib.md5).hexdigest().encode()


@pytest.fixture
def judged(guard, backend):
    """An imapguard in front of a judge, with wide limits but for guesses."""
    def start(judge, access=None, **limits):
        more = {"access": access} if access else {}
        return guard(backend(judge).address, workers=4, backend_settings={"login_timeout": "2s"},
                     capabilities=["IMAP4rev1", "AUTH=CRAM-MD5"],
                     limits={**WIDE, "login_failures": f"{LIMIT}/10m", **limits}, **more)
    return start


def together(count, work):
    """Does it in so many threads at once; their results in order."""
    results, barrier = [None] * count, threading.Barrier(count)

    def run(number):
        barrier.wait()
        try:
            results[number] = work(number)
        except (OSError, AssertionError) as error:
            results[number] = error
    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def login(wire, password, user=b"anna"):
    """What a login hears first."""
    wire.send(b"a LOGIN " + user + b" " + password + b"\r\n")
    return wire.line_or_end()


def test_hanging_up_before_the_answer_is_a_guess_like_any_other(judged):
    judge = Judge()
    front = judged(judge)
    for number in range(4 * LIMIT):
        try:
            with front.secure(source=HERE) as wire:
                wire.send(b"a LOGIN anna guess%d\r\n" % number)
                wait_for(lambda: len(judge.judged) > number or front.events("banned"), "the guess", 2)
        except (OSError, AssertionError):
            break
    assert front.event("banned", rip=HERE)
    assert len(judge.judged) == LIMIT
    assert {event["verdict"] for event in front.events("login-aborted")} <= {"wrong", "none"}


def test_a_guess_at_the_end_of_the_time_is_a_guess_like_any_other(judged):
    """The time for the login is over before the verdict; it is waited for."""
    judge = Judge(seconds=1)
    front = judged(judge, login_failures="2/10m", login_timeout="2s")
    for number in range(2):
        with front.secure(source=HERE) as wire:
            time.sleep(1.4)
            wire.send(b"a LOGIN anna guess%d\r\n" % number)
            assert wire.line_or_end().startswith(b"* BYE No login within the time")
        wait_for(lambda: len(front.events("login-aborted", verdict="wrong")) == number + 1, "the verdict")
    with front.secure(source=HERE) as wire:
        assert login(wire, b"another").startswith(b"a NO [CONTACTADMIN]")
    assert len(judge.judged) == 2


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
def test_a_right_password_is_seen_as_right_although_nobody_hears_it(judged, reset):
    judge = Judge()
    front = judged(judge, login_failures="1/10m")
    for _ in range(3):
        wire = front.secure(source=HERE)
        before = len(judge.judged)
        wire.send(b"a LOGIN anna " + PASSWORD + b"\r\n")
        wait_for(lambda: len(judge.judged) > before, "the login")
        wire.reset() if reset else wire.close()
        wait_for(lambda: len(front.events("login-aborted", verdict="right")) == before + 1, "the verdict")
    assert not front.events("banned")


def test_guesses_at_one_time_are_no_more_than_one_after_the_other(judged):
    judge = Judge()
    front = judged(judge)
    wires = [front.secure(source=HERE) for _ in range(60)]
    together(60, lambda number: login(wires[number], b"guess%d" % number))
    assert len(judge.judged) == LIMIT
    assert len(front.events("banned", rip=HERE)) == 1


def test_guesses_of_a_killed_worker_are_no_more_than_it_had_in_flight(judged):
    judge = Judge(seconds=0.5)
    front = judged(judge)
    wires = [front.secure(source=HERE) for _ in range(60)]

    def guess_or_kill(number):
        if number < 2:
            time.sleep(0.25)
            front.kill_worker(workers[number])
            return None
        return login(wires[number], b"guess%d" % number)
    workers = front.workers()
    together(60, guess_or_kill)
    assert LIMIT <= len(judge.judged) <= LIMIT * (1 + 2), "two were killed, each with at most so many in flight"
    front.event("banned", rip=HERE)


@pytest.mark.parametrize("refusal", [b"BAD what", b"* BYE overloaded", b"NO [UNAVAILABLE] later", b"closes", b""],
                         ids=["BAD", "BYE", "UNAVAILABLE", "closes", "silence"])
def test_a_server_that_does_not_say_no_makes_guessing_no_cheaper(judged, refusal):
    judge = Judge(seconds=0, refusal=refusal)
    front = judged(judge, login_faults="2/10m")
    for number in range(6):
        try:
            with front.secure(source=HERE) as wire:
                assert login(wire, b"guess%d" % number).startswith((b"a NO [UNAVAILABLE]", b"a NO [CONTACTADMIN]"))
        except (OSError, AssertionError):
            break
    front.event("banned", rip=HERE)
    assert len(judge.judged) == 2


def test_faults_after_the_password_end_a_connection_as_wrong_ones_do(judged):
    front = judged(Judge(seconds=0, refusal=b"BAD what"), login_attempts=2, login_delay="300ms")
    with front.secure(source=HERE) as wire:
        begin = time.monotonic()
        assert wire.command(b"LOGIN anna one").status.startswith(b"NO [UNAVAILABLE]")
        assert time.monotonic() - begin >= 0.3
        wire.send(b"b LOGIN anna two\r\n")
        assert wire.line().startswith(b"b NO [UNAVAILABLE]")
        assert wire.rest().startswith(b"* BYE")


def challenge(front, user, password, source=HERE):
    """A login by CRAM-MD5: its answer."""
    with front.secure(source=source) as wire:
        wire.send(b"a AUTHENTICATE CRAM-MD5\r\n")
        line = wire.line_or_end()
        if line.startswith(b"+ "):
            wire.send(base64.b64encode(cram(user, password)) + b"\r\n")
            line = wire.line_or_end()
        return line


def test_a_forgotten_phone_with_a_challenge_shuts_out_itself_alone(judged):
    judge = Judge(seconds=0)
    front = judged(judge)
    for _ in range(3 * LIMIT):
        challenge(front, b"anna", b"old")
    assert len(judge.judged) == LIMIT, "the same wrong one counts each time, because nobody can see that it is the same"
    assert front.event("banned", rip=HERE)["user"] == "anna"
    assert challenge(front, b"anna", PASSWORD, source=THERE).startswith(b"a OK"), "from elsewhere it may"
    with front.secure(source=HERE) as wire:
        assert login(wire, PASSWORD, user=b"ben").startswith(b"a OK"), "and others may from here"


def test_several_users_with_a_challenge_shut_out_their_network(judged):
    judge = Judge(seconds=0)
    front = judged(judge)
    for number in range(LIMIT):
        assert challenge(front, b"user%d" % number, b"old").startswith(b"a NO [AUTHENTICATIONFAILED]")
    assert not front.events("banned")
    challenge(front, b"cleo", b"old")
    assert "user" not in front.event("banned", rip=HERE).values
    assert len(judge.judged) == LIMIT


def test_users_with_a_challenge_at_one_time_are_no_more_than_one_after_the_other(judged):
    judge = Judge()
    front = judged(judge)
    together(40, lambda number: challenge(front, b"user%d" % number, b"old"))
    assert len(judge.judged) == LIMIT
    front.event("banned", rip=HERE)


@pytest.mark.parametrize("refusal", [b"BAD what", b"closes"])
def test_a_challenge_without_a_verdict_counts_for_the_network(judged, refusal):
    judge = Judge(seconds=0, refusal=refusal)
    front = judged(judge, login_faults="6/10m")
    for number in range(12):
        try:
            challenge(front, b"user%d" % number, b"old")
        except (OSError, AssertionError):
            break
    front.event("banned", rip=HERE)
    assert len(judge.judged) == 6


def test_behind_a_gateway_users_are_banned_and_not_the_address(judged):
    judge = Judge(seconds=0)
    front = judged(judge, private_addresses="gateway")
    with front.secure(source=HERE) as wire:
        for number in range(LIMIT):
            assert login(wire, b"guess%d" % number, user=b"joe").startswith(b"a NO [AUTHENTICATIONFAILED]")
        assert login(wire, b"another", user=b"joe").startswith(b"a NO [CONTACTADMIN]")
    assert front.event("banned", rip=HERE)["user"] == "joe"
    with front.secure(source=HERE) as wire:
        assert login(wire, PASSWORD).startswith(b"a OK")
    assert len(judge.judged) == LIMIT + 1


def test_hanging_up_after_a_token_was_refused_is_a_wrong_one(guard, backend):
    """XOAUTH2 says so by a challenge, which the client has heard."""
    judged = []

    def refuses(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready\r\n")
        judged.append(peer.line())
        peer.send(b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n")
        peer.wait_rest()

    front = guard(backend(refuses).address, capabilities=["IMAP4rev1", "AUTH=XOAUTH2"],
                  limits={**WIDE, "login_failures": f"{LIMIT}/10m"})
    for number in range(2 * LIMIT):
        with front.secure(source=HERE) as wire:
            token = base64.b64encode(b"user=anna\1auth=Bearer %d\1\1" % number)
            wire.send(b"a AUTHENTICATE XOAUTH2 " + token + b"\r\n")
            if not wire.line_or_end().startswith(b"+ "):
                break
        wait_for(lambda: len(front.events("login-aborted")) == number + 1, "the end of the login")
    assert len(judged) == LIMIT
    assert {event["verdict"] for event in front.events("login-aborted")} == {"wrong"}
    front.event("banned", rip=HERE)


def test_a_hung_server_shuts_out_no_user_of_another(guard, backend):
    """Its logins hold no place among the guesses once it is known to be down."""
    hung, good = backend(silent), backend(LegacyServer())
    front = guard(None, backends=[{"name": "hung", "address": hung.address, "login_timeout": "2s"},
                                  {"name": "good", "address": good.address}],
                  routes=[{"users": ["s*"], "backends": ["hung"]}, {"backends": ["good"]}],
                  limits={**WIDE, "login_failures": "2/10m"})
    with front.secure(source=HERE) as wire:
        assert login(wire, PASSWORD, user=b"s").startswith(b"a NO [UNAVAILABLE]")
    front.event("backend-down", backend="hung")
    stuck = [front.secure(source=HERE) for _ in range(20)]
    for wire in stuck:
        wire.send(b"a LOGIN s1 " + PASSWORD + b"\r\n")
    with front.secure(source=HERE) as wire:
        begin = time.monotonic()
        assert login(wire, PASSWORD).startswith(b"a OK")
        assert time.monotonic() - begin < 1
    for wire in stuck:
        assert wire.line().startswith(b"a NO [UNAVAILABLE]")
        wire.close()
    assert not front.events("banned")


def test_silent_challenges_hold_no_more_places_than_guesses_may(judged):
    judge = Judge(seconds=0)
    front = judged(judge, challenge_timeout="2s")
    silent = [front.secure(source=HERE) for _ in range(4 * LIMIT)]
    for wire in silent:
        wire.send(b"a AUTHENTICATE CRAM-MD5\r\n")
    held = [wire for wire in silent[:LIMIT] if wire.line().startswith(b"+ ")]
    assert len(held) == LIMIT
    assert challenge(front, b"anna", PASSWORD, source=THERE).startswith(b"a OK"), "others are not held up"
    for wire in held:
        assert wire.line().startswith(b"a NO [UNAVAILABLE]")
    assert silent[LIMIT].line().startswith(b"+ "), "the next in the order in which they came"
    for wire in silent:
        wire.close()
    assert not front.events("banned") and not judge.judged[1:]


def test_a_denied_user_costs_what_a_wrong_password_costs(judged):
    """Else a guesser would learn by the ban that does not come which users a rule denies."""
    judge = Judge(seconds=0)
    front = judged(judge, access=[{"name": "no", "action": "deny", "users": ["denied"]}])
    for user, source in ((b"denied", HERE), (b'"invi\x7fsible"', THERE)):
        with front.secure(source=source) as wire:
            for number in range(LIMIT):
                assert login(wire, b"guess%d" % number, user=user).startswith(b"a NO [AUTHENTICATIONFAILED]")
            assert login(wire, b"another", user=user).startswith(b"a NO [CONTACTADMIN]")
    assert not judge.judged


def test_a_denied_device_with_one_password_bans_nobody(judged):
    front = judged(Judge(seconds=0), access=[{"name": "no", "action": "deny", "users": ["denied"]}])
    for _ in range(3 * LIMIT):
        with front.secure(source=HERE) as wire:
            assert login(wire, PASSWORD, user=b"denied").startswith(b"a NO [AUTHENTICATIONFAILED]")
    assert not front.events("banned")


def test_what_no_backend_has_judged_is_not_refused_from_memory(guard, backend):
    """Another spelling without a route, and another identity, are other logins than the one that follows."""
    front = guard(backend(Judge(seconds=0)).address, limits=WIDE, routes=[{"users": ["anna"], "backends": ["legacy"]}])
    for first in (b'LOGIN " anna" ' + PASSWORD, b"LOGIN other " + PASSWORD):
        with front.secure(source=HERE) as wire:
            assert wire.command(first).status.startswith(b"NO [AUTHENTICATIONFAILED]")
            assert wire.command(b"LOGIN anna " + PASSWORD).status.startswith(b"OK"), first


def test_an_exemption_is_earned_by_a_login(judged):
    judge = Judge(seconds=0)
    rule = {"name": "monitor", "action": "allow", "users": ["monitor"], "limits": False}
    front = judged(judge, access=[rule])
    with front.secure(source=HERE) as wire:
        for number in range(LIMIT):
            assert login(wire, b"guess%d" % number, user=b"monitor").startswith(b"a NO [AUTHENTICATIONFAILED]")
        assert login(wire, b"another").startswith(b"a NO [CONTACTADMIN]")
    front.event("banned", rip=HERE)
    assert len(judge.judged) == LIMIT


def test_an_office_that_comes_back_at_once_is_let_in(judged):
    judge = Judge(seconds=0.05)
    front = judged(judge, login_failures="10/10m")
    wires = [front.secure(source=HERE) for _ in range(200)]
    begin = time.monotonic()
    answers = together(200, lambda number: login(wires[number], PASSWORD, user=b"user%d" % number))
    assert time.monotonic() - begin < PATIENCE
    assert all(isinstance(answer, bytes) and answer.startswith(b"a OK") for answer in answers), answers
    assert not front.events("banned")


def test_who_has_logged_in_from_here_before_does_not_wait_for_guessers(judged):
    judge = Judge(seconds=1)
    front = judged(judge, login_failures="3/10m")
    with front.secure(source=HERE) as wire:
        assert login(wire, PASSWORD).startswith(b"a OK")
    wires = [front.secure(source=HERE) for _ in range(10)]
    for number, wire in enumerate(wires):
        wire.send(b"a LOGIN joe guess%d\r\n" % number)
    wait_for(lambda: len(judge.judged) == 4, "three guesses")
    with front.secure(source=HERE) as wire:
        begin = time.monotonic()
        assert login(wire, PASSWORD).startswith(b"a OK")
        assert time.monotonic() - begin < 2.5, "it has waited for the judge alone"
    front.event("banned", rip=HERE)
    assert len(judge.judged) == 5


def ban_network(front, source=HERE):
    for number in range(LIMIT + 1):
        with front.secure(source=source) as wire:
            login(wire, b"guess%d" % number, user=b"joe")
    return front.event("banned", rip=source)


def test_a_ban_spares_who_has_logged_in_from_there_also_over_a_restart(judged, place):
    judge = Judge(seconds=0)
    state = place / "bans"
    front = judged(judge, state_file=str(state))
    with front.secure(source=HERE) as wire:
        assert login(wire, PASSWORD).startswith(b"a OK")
    ban_network(front)
    for again in range(2):
        for source, user, heard in ((HERE, b"anna", b"a OK"), (HERE, b"ben", b"a NO [CONTACTADMIN]")):
            with front.secure(source=source) as wire:
                assert login(wire, PASSWORD, user=user).startswith(heard), (again, user)
        assert challenge(front, b"anna", PASSWORD).startswith(b"a OK")
        if not again:
            front.stop()
            assert "anna" not in state.read_text() and state.stat().st_mode & 0o777 == 0o600
            front = judged(judge, state_file=str(state))
            restored = front.event("bans-restored")
            assert (restored["count"], restored["logins"]) == ("1", "2")


def test_a_banned_user_is_banned_after_a_restart(judged, place):
    judge = Judge(seconds=0)
    state = place / "bans"
    front = judged(judge, state_file=str(state), private_addresses="gateway")
    ban_network(front)
    front.stop()
    front = judged(judge, state_file=str(state), private_addresses="gateway")
    for user, heard in ((b"joe", b"a NO [CONTACTADMIN]"), (b"ben", b"a OK")):
        with front.secure(source=HERE) as wire:
            assert login(wire, PASSWORD, user=user).startswith(heard)


def test_a_site_has_a_limit_for_all_its_networks(judged):
    """127.0.0.0/16 stands for a site of /32 networks."""
    judge = Judge(seconds=0)
    front = judged(judge, ipv4_site_prefix=16, site_failures="7/10m")
    for number in range(7):
        with front.secure(source=f"127.0.9.{number + 1}") as wire:
            assert login(wire, b"guess%d" % number, user=b"joe").startswith(b"a NO [AUTHENTICATIONFAILED]")
    with front.secure(source="127.0.10.1") as wire:
        assert login(wire, PASSWORD).startswith(b"a NO [CONTACTADMIN]")
    assert front.event("banned", rip="127.0.10.1")["network"] == "127.0.0.0/16"
    with front.connect(source="127.0.11.1") as wire:
        assert wire.line_or_end() in (b"", b"* BYE Too many failed logins from your network.")
    assert len(judge.judged) == 7


def test_the_networks_of_a_site_at_one_time_are_no_more_than_one_after_the_other(judged):
    judge = Judge()
    front = judged(judge, ipv4_site_prefix=16, site_failures="7/10m")
    wires = [front.secure(source=f"127.0.9.{number + 1}") for number in range(40)]
    together(40, lambda number: login(wires[number], b"guess%d" % number))
    assert len(judge.judged) == 7
    assert len(front.events("banned")) == 1


def test_a_user_who_is_attacked_from_everywhere_waits_where_nobody_knows_it(judged):
    judge = Judge(seconds=0)
    front = judged(judge, user_failures="4/1h", login_delay_max="2s")
    with front.secure(source=HERE) as wire:
        assert login(wire, PASSWORD).startswith(b"a OK")

    def seconds(source, password, user=b"anna"):
        with front.secure(source=source) as wire:
            begin = time.monotonic()
            right = login(wire, password, user=user).startswith(b"a OK")
            return right, time.monotonic() - begin
    for number in range(4):
        assert not seconds(f"127.0.9.{number + 1}", b"guess")[0]
    right, waited = seconds(THERE, b"guess")
    assert not right and waited >= 2
    right, waited = seconds(THERE, PASSWORD)
    assert right and waited >= 2, "the right one tells nobody earlier that it is right"
    for source, user in ((HERE, b"anna"), (THERE, b"anna"), (THERE, b"ben")):
        right, waited = seconds(source, PASSWORD, user)
        assert right and waited < 1.5, (source, user)
    assert len(front.events("user-attacked", user="anna")) == 1
    assert not front.events("banned")


def test_one_who_hangs_up_instead_of_waiting_has_guessed_nothing(judged):
    judge = Judge(seconds=0)
    front = judged(judge, user_failures="1/1h", login_delay_max="3s")
    with front.secure(source=HERE) as wire:
        login(wire, b"guess")
    for number in range(10):
        with front.secure(source=f"127.0.9.{number + 1}") as wire:
            wire.send(b"a LOGIN anna other\r\n")
    wait_for(lambda: len(front.events("login-aborted", verdict="none")) == 10, "the end of all")
    assert len(judge.judged) == 1


def test_who_gives_up_waiting_has_guessed_nothing(judged):
    judge = Judge(seconds=1)
    front = judged(judge, login_failures="2/10m")
    wires = [front.secure(source=HERE) for _ in range(6)]
    for number, wire in enumerate(wires):
        wire.send(b"a LOGIN joe guess%d\r\n" % number)
    wait_for(lambda: len(judge.judged) == 2, "two guesses")
    for wire in wires:
        wire.close()
    wait_for(lambda: len(front.events("login-aborted")) == 6, "the end of all")
    assert sorted(event["verdict"] for event in front.events("login-aborted")) == ["none"] * 4 + ["wrong"] * 2
    assert len(judge.judged) == 2 and not front.events("banned")


def test_a_no_before_the_password_is_no_failed_login(guard, backend):
    """Of a server that lists PLAIN and does not take it."""
    def refuses_plain(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n")
        tag = peer.line().partition(b" ")[0]
        peer.send(tag + b" NO Unsupported authentication mechanism\r\n")
        peer.wait_rest()

    front = guard(backend(refuses_plain).address, limits={**WIDE, "login_failures": "1/10m", "login_faults": "1/10m"})
    with front.secure(source=HERE) as wire:
        for _ in range(5):
            wire.send(b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0anna\0" + PASSWORD) + b"\r\n")
            assert wire.line().startswith(b"a NO [UNAVAILABLE]")
    assert not front.events("banned") and not front.events("login-failed")


def test_a_backend_that_cannot_tell_is_passed_over(guard, backend):
    """The user database of one is down; the other one knows."""
    fakes = {"a": backend(LegacyServer(answer=b"NO [UNAVAILABLE] down")), "b": backend(LegacyServer())}
    front = guard(None, backends=[{"name": name, "address": fake.address} for name, fake in fakes.items()],
                  routes=[{"backends": ["a"], "backup": ["b"]}])
    with front.secure() as wire:
        assert login(wire, PASSWORD).startswith(b"a OK")
    passed = front.event("backend-passed-over", user="anna")
    assert (passed["backend"], passed["reason"]) == ("a", "backend-refused")
    assert front.event("login")["backend"] == "b"


def test_one_client_marks_no_backend_down_for_others(guard, backend):
    """Of a server that limits each address, and hears the address of each client."""
    def limits(peer):
        header = peer.line()
        if header.startswith(b"PROXY TCP4 127.0.7.1"):
            peer.send(b"* BYE [LIMIT] Too many connections from your address\r\n")
            return
        LegacyServer()(peer)

    fakes = {"a": backend(limits), "b": backend(LegacyServer())}
    front = guard(None, routes=[{"backends": ["a"], "backup": ["b"]}], backends=[
        {"name": "a", "address": fakes["a"].address, "proxy_protocol": "v1"}, {"name": "b", "address": fakes["b"].address}])
    for source, found in ((HERE, "b"), (THERE, "a")):
        with front.secure(source=source) as wire:
            assert login(wire, PASSWORD).startswith(b"a OK")
            assert front.event("login", rip=source)["backend"] == found
    assert not front.events("backend-down")
