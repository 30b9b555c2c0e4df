"""`rdap` tells every kind of answer apart, whatever a registry's server says or does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from commands import rdap
from commands.command import MAX_ERROR_LENGTH
from commands.execution import Finished
from commands.rdap import Rdap
from commands.registration.domain import MAX_ENTRIES, MAX_TEXT
from commands.registration.refusals import LONGEST_PAUSE, MOST_REFUSALS
from commands.turns import LocalTurns, NoTurn
from demo.behaviours import answers
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.registering import RecordedTurns, ask, surroundings
from tests.commands.test_leaks import in_use, settles
from tests.services.registry import CUT, SILENCE, Registry, Reply, running_registry

HOST = "rdap.registry.test"
SCRIPT = Script({HOST: answers(A="127.0.0.1"), "other.registry.test": answers(A="127.0.0.1")})
LONG = "x" * 100_000
FULL = {
    "objectClassName": "domain",
    "handle": "2138514_DOMAIN_COM-VRSN",
    "ldhName": "EXAMPLE.COM",
    "status": ["client transfer prohibited", "active", "active"],
    "nameservers": [{"ldhName": "B.NS.ORG."}, {"ldhName": "a.ns.org"}, {"unicodeName": "c"}],
    "events": [
        {"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"},
        {"eventAction": "expiration", "eventDate": "2027-08-13T04:00:00Z"},
        {"eventAction": "last changed", "eventDate": "2026-08-14T07:01:44Z"},
        {"eventAction": "last update of RDAP database", "eventDate": "2026-11-22T00:00:00Z"},
    ],
    "entities": [
        {"roles": ["abuse"], "vcardArray": ["vcard", [["fn", {}, "text", "Abuse"]]]},
        {
            "roles": ["registrar"],
            "handle": "376",
            "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "IANA"]]],
        },
    ],
    "notices": [{"title": "Terms of Use", "description": ["There is a rate limit."]}],
}
FACTS = {
    "handle": "2138514_DOMAIN_COM-VRSN",
    "registrar": "IANA",
    "created": "1995-08-14T04:00:00Z",
    "expires": "2027-08-13T04:00:00Z",
    "changed": "2026-08-14T07:01:44Z",
    "status": ["active", "client transfer prohibited"],
    "nameservers": ["a.ns.org", "b.ns.org"],
}
CROOKED = {
    "objectClassName": "domain",
    "handle": {"of": "what"},
    "status": [LONG, None, 7, *(f"status {n}" for n in range(1_000))],
    "nameservers": {"ldhName": "a"},
    "events": ["registration", {"eventAction": ["expiration"]}, {"eventAction": "registration"}],
    "entities": [None, {"roles": "registrar", "vcardArray": ["vcard", ["fn"]], "handle": LONG}],
}
QUOTA = {"title": "401 Unauthorized", "description": "Path 'domain': Quota exceeded (31/30)"}
TOO_FAST = {"errorCode": "422", "description": ["Your access is too fast."]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One answer, and what it means."""

    reply: Reply | str
    status: str
    #: What the error says; None where there is no error.
    error: str | None = None


CASES = {
    "full": Case(reply=Reply(body=FULL), status="registered"),
    "bare": Case(reply=Reply(body={"objectClassName": "domain"}), status="registered"),
    "crooked": Case(reply=Reply(body=CROOKED), status="registered"),
    "classless": Case(reply=Reply(body={"ldhName": "a.com"}), status="registered"),
    "missing": Case(reply=Reply(status=404), status="not-found"),
    "missing-page": Case(reply=Reply(status=404, body=b"<html>"), status="not-found"),
    "missing-inside": Case(reply=Reply(body={"errorCode": 404}), status="not-found"),
    "too-many": Case(reply=Reply(status=429), status="rate-limited", error="HTTP 429"),
    "forbidden": Case(
        reply=Reply(status=403, body=b"<TITLE>Number of allowed queries exceeded."),
        status="rate-limited",
        error="HTTP 403",
    ),
    "unprocessable": Case(
        reply=Reply(status=422, body=TOO_FAST),
        status="rate-limited",
        error="HTTP 422: Your access is too fast.",
    ),
    "too-many-inside": Case(
        reply=Reply(body={"errorCode": 429}), status="rate-limited", error="HTTP 429"
    ),
    "quota": Case(reply=Reply(body={"notices": QUOTA}), status="rate-limited", error="it said"),
    "quotas": Case(reply=Reply(body={"notices": [QUOTA]}), status="rate-limited", error="it said"),
    "broken": Case(reply=Reply(status=500), status="server-error", error="HTTP 500"),
    "closed": Case(
        reply=Reply(status=503, body={"title": "Closed", "description": [LONG]}),
        status="server-error",
        error="HTTP 503: Closed xxx",
    ),
    "bad-request": Case(reply=Reply(status=400), status="error", error="HTTP 400"),
    "page": Case(reply=Reply(body=b"<html>Hello"), status="invalid", error="no domain object"),
    "empty": Case(reply=Reply(), status="invalid", error="no domain object"),
    "list": Case(reply=Reply(body=[FULL]), status="invalid", error="no domain object"),
    "deep": Case(reply=Reply(body=b"[" * 100_000), status="invalid", error="no domain object"),
    "packed": Case(
        reply=Reply(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}),
        status="invalid",
        error="no domain object",
    ),
    "entity": Case(
        reply=Reply(body={"objectClassName": "entity"}), status="invalid", error="no domain object"
    ),
    "long": Case(reply=Reply(body=b"x" * (1 + rdap.MOST_BYTES)), status="invalid", error="bytes"),
    "nowhere": Case(reply=Reply(status=302), status="invalid", error="HTTP 302"),
    "no-web": Case(
        reply=Reply(status=302, headers={"Location": "ftp://a.org/"}),
        status="invalid",
        error="ftp://a.org/",
    ),
    "no-address": Case(
        reply=Reply(status=302, headers={"Location": "http://a:b/"}),
        status="error",
        error="Invalid URL in location header",
    ),
    "no-host": Case(
        reply=Reply(status=302, headers={"Location": "http://gone.registry.test/"}),
        status="error",
        error="gone.registry.test has no address (nxdomain)",
    ),
    "cut": Case(reply=CUT, status="error", error="RemoteProtocolError"),
    "cut-once": Case(reply=CUT, status="registered"),
}


@pytest.fixture(scope="module")
def nameserver() -> Iterator[NameServer]:
    """Give a name server that knows the registry's."""
    with running_nameserver(SCRIPT) as server:
        yield server


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give a registry's server."""
    with running_registry() as server:
        yield server


def one(
    name: str, registry: Registry, nameserver: NameServer, **different: Any
) -> tuple[Finished, RecordedTurns]:
    """Ask about one name."""
    turns = RecordedTurns()
    environment = surroundings(nameserver, **({"turns": turns} | different))
    found = ask([name], environment, {"server": registry.url(HOST)})
    return found[name], turns


@pytest.mark.parametrize("label", CASES)
def test_every_answer_has_its_status(
    registry: Registry, nameserver: NameServer, label: str
) -> None:
    """Each answer has the status that it means; only those that are not sure say why."""
    case = CASES[label]
    registry.say(f"/domain/{label}.com", case.reply, *([Reply(body=FULL)] * (label == "cut-once")))
    finished, _ = one(f"{label}.com", registry, nameserver)
    outcome = finished.outcome
    assert outcome.status == case.status
    assert (outcome.status in Rdap.unsure) == (outcome.error is not None)
    assert (case.error or "") in (outcome.error or "")
    assert len(outcome.error or "") <= MAX_ERROR_LENGTH
    assert (outcome.answer is None) == (outcome.status in Rdap.unsure)
    assert finished.tries == {"cut": 3, "no-address": 3, "cut-once": 2}.get(label, 1)


def test_an_answer_says_what_was_learned(registry: Registry, nameserver: NameServer) -> None:
    """Of a registered domain the answer has the facts, who was asked, and about what."""
    registry.say("/domain/full.com", Reply(body=FULL))
    outcome = one("www.full.com", registry, nameserver)[0].outcome
    server = registry.url(HOST)
    assert outcome.answer == {"asked": "full.com", "server": server, **FACTS}
    assert outcome.decided_by == f"{HOST}:{registry.port}"


def test_what_strangers_say_is_bounded(registry: Registry, nameserver: NameServer) -> None:
    """Fields of other types are left out, texts and lists are cut."""
    registry.say("/domain/crooked.com", Reply(body=CROOKED))
    answer = dict(one("crooked.com", registry, nameserver)[0].outcome.answer or {})
    assert len(json.dumps(answer)) < (MAX_ENTRIES + 4) * (MAX_TEXT + 10)
    assert set(answer) == {"asked", "server", "registrar", "status"}
    assert answer["registrar"] == LONG[:MAX_TEXT]


def test_a_server_is_asked_as_the_standard_says(registry: Registry, nameserver: NameServer) -> None:
    """The request accepts RDAP, has the server's name, and says who asks."""
    one("a.com", registry, nameserver)
    (request,) = registry.requests
    assert request.path == "/domain/a.com"
    assert request.headers["accept"].startswith("application/rdap+json")
    assert request.headers["host"] == f"{HOST}:{registry.port}"
    assert "rollcall" in request.headers["user-agent"]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("www.example.co.uk", "example.co.uk"),
        ("WWW.Example.COM.", "example.com"),
        ("user.github.io", "github.io"),
        ("x.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("a.b.unheard-of", "b.unheard-of"),
        ("co.uk", None),
        ("com", None),
        ("", None),
    ],
)
def test_the_registrable_domain_is_asked_about(
    registry: Registry, nameserver: NameServer, name: str, asked: str | None
) -> None:
    """It is what a registry sells; a public suffix is nobody's, and nothing is asked about it."""
    outcome = one(name, registry, nameserver)[0].outcome
    assert registry.paths() == ([f"/domain/{asked}"] if asked else [])
    assert outcome.status == ("not-found" if asked else "error")
    assert "public suffix" in (outcome.error or "") or asked


def test_redirects_are_followed_at_each_servers_pace(
    registry: Registry, nameserver: NameServer
) -> None:
    """A server that knows another one is believed, and that one has its own turns."""
    there = f"http://other.registry.test:{registry.port}/there"
    registry.say("/domain/a.com", Reply(status=301, headers={"Location": there}))
    registry.say("/there", Reply(status=307, headers={"Location": "here"}))
    registry.say("/here", Reply(body=FULL))
    finished, turns = one("a.com", registry, nameserver)
    assert finished.outcome.status == "registered"
    other = f"other.registry.test:{registry.port}"
    assert finished.outcome.decided_by == other
    assert turns.waited == [(f"{HOST}:{registry.port}", 1.0), (other, 1.0), (other, 1.0)]


def test_redirects_come_to_an_end(registry: Registry, nameserver: NameServer) -> None:
    """A server that points at itself is asked four times, not for ever."""
    registry.say("/domain/a.com", Reply(status=302, headers={"Location": "/domain/a.com"}))
    outcome = one("a.com", registry, nameserver)[0].outcome
    assert outcome.status == "invalid"
    assert len(registry.requests) == 1 + rdap.MOST_REDIRECTS


def test_a_server_that_is_not_there_is_an_error(registry: Registry, nameserver: NameServer) -> None:
    """Where nobody listens, it is tried again, and then said."""
    environment = surroundings(nameserver)
    (finished,) = ask(["a.com"], environment, {"server": "http://127.0.0.1:1/"}).values()
    assert (finished.outcome.status, finished.tries) == ("error", 3)
    assert "ConnectError" in (finished.outcome.error or "")


def test_a_silent_server_is_a_timeout(
    registry: Registry, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is bounded, though the execution is not."""
    monkeypatch.setattr(rdap, "REQUEST_SECONDS", 0.2)
    registry.say("/domain/a.com", SILENCE)
    finished, _ = one("a.com", registry, nameserver)
    assert (finished.outcome.status, finished.tries) == ("timeout", 1)


def test_private_addresses_are_blocked(registry: Registry, nameserver: NameServer) -> None:
    """A server at an address that is not public is not connected to."""
    outcome = one("a.com", registry, nameserver, allow_private_addresses=False)[0].outcome
    assert outcome.status == "blocked"
    assert "127.0.0.1, which is not public" in (outcome.error or "")
    assert registry.requests == []


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (None, 10.0),
        ("soon", 10.0),
        ("-5", 10.0),
        ("9" * 5_000, 10.0),
        ("86400", LONGEST_PAUSE),
        ("Fri, 31 Dec 2999 23:59:59 -0000", LONGEST_PAUSE),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_server_is_left_alone_as_it_asks(
    registry: Registry,
    nameserver: NameServer,
    status: int,
    retry_after: str | None,
    seconds: float,
) -> None:
    """Everybody waits as long as Retry-After says, within bounds; a refusal alone says 10 s."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    registry.say("/domain/a.com", Reply(status=status, headers=headers))
    _, turns = one("a.com", registry, nameserver)
    waits = status == 429 or retry_after is not None
    assert turns.held_off == [(f"{HOST}:{registry.port}", seconds)] * waits


def test_a_server_that_always_refuses_is_left_alone(
    registry: Registry, nameserver: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some refusals in a row the rest of a batch is marked without a question."""
    monkeypatch.setattr(Rdap, "in_flight", 1)
    names = [f"name{n}.com" for n in range(20)]
    for name in names:
        registry.say(f"/domain/{name}", Reply(status=429))
    registry.say("/domain/name2.com", Reply(body=FULL))
    turns = RecordedTurns()
    found = ask(names, surroundings(nameserver, turns=turns), {"server": registry.url(HOST)})
    statuses = {name: finished.outcome.status for name, finished in found.items()}
    assert statuses == dict.fromkeys(names, "rate-limited") | {"name2.com": "registered"}
    assert len(registry.requests) == 3 + MOST_REFUSALS
    # An answer in between begins the row anew.
    assert [seconds for _, seconds in turns.held_off] == [10, 20, 10, 20, 40, 80, 160]
    assert "not asked" in (found["name19.com"].outcome.error or "")


def test_a_turn_that_nobody_gives_is_asked_for_again(
    registry: Registry, nameserver: NameServer
) -> None:
    """While nobody gives out turns nothing is asked, and the domain is tried again."""

    class Away(RecordedTurns):
        """Nobody is there at first."""

        async def wait(self, key: str, per_second: float) -> None:
            """Fail until asked often enough."""
            await super().wait(key, per_second)
            if len(self.waited) < 3:
                raise NoTurn("nobody is there")

    registry.say("/domain/a.com", Reply(body=FULL))
    finished, _ = one("a.com", registry, nameserver, turns=Away())
    assert (finished.outcome.status, finished.tries) == ("registered", 3)
    assert registry.paths() == ["/domain/a.com"]


def test_all_batches_of_a_process_keep_the_pace(registry: Registry, nameserver: NameServer) -> None:
    """The option says how fast one server is asked."""
    environment = surroundings(nameserver, turns=LocalTurns())
    options = {"server": registry.url(HOST), "per_second": 20}
    began = datetime.now(UTC)
    ask([f"name{n}.com" for n in range(10)], environment, options)
    seconds = (datetime.now(UTC) - began).total_seconds()
    assert len(registry.requests) == 10 <= 1 + 20 * seconds


def test_batches_leave_no_connection_open(registry: Registry, nameserver: NameServer) -> None:
    """After many batches there are no more threads and open files than before."""
    registry.say("/domain/a.com", Reply(body=FULL))
    for _ in range(3):
        one("a.com", registry, nameserver)
    before = in_use()
    for _ in range(100):
        one("a.com", registry, nameserver)
    assert settles(before), (before, in_use())
