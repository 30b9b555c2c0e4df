"""`mx` says where mail for a name would go, and by which of the rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from commands.dns.asking import MAX_RECORDS
from commands.environment import Environment
from demo.behaviours import ADDRESS, Behaviour, alias, answers, fails, nodata, nxdomain, truncated
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import Checked, check
from tests.commands.names import questions

IPV6 = "2001:db8::1"
MX, MX_A, ALL = ["MX"], ["MX", "A"], ["MX", "A", "AAAA"]


def mail(*pairs: tuple[int, str]) -> dict[str, Any]:
    """Make the answer of a name with mail servers."""
    found = [{"preference": preference, "exchange": exchange} for preference, exchange in pairs]
    return {"mx": found, "ttl": 60}


@dataclass(frozen=True, slots=True)
class Case:
    """How a server answers, and what that makes."""

    behaviour: Behaviour | None
    status: str
    #: The types that are asked for.
    asked: list[str]
    answer: dict[str, Any] | None = None


CASES = {
    "one.org": Case(
        answers(MX="10 Mail.One.org.", A=ADDRESS), "mail", MX, mail((10, "mail.one.org"))
    ),
    # By number, not by text; those of one preference by name.
    "some.org": Case(
        answers(MX=("100 z.org.", "20 b.org.", "5 c.org.", "20 a.org.")),
        "mail",
        MX,
        mail((5, "c.org"), (20, "a.org"), (20, "b.org"), (100, "z.org")),
    ),
    "alias.org": Case(alias("x.net", MX="1 m.net."), "mail", MX, mail((1, "m.net"))),
    "null.org": Case(answers(MX="0 .", A=ADDRESS), "null-mx", MX, mail((0, "."))),
    "null-and-more.org": Case(
        answers(MX=("0 .", "10 m.org.")), "mail", MX, mail((0, "."), (10, "m.org"))
    ),
    "implicit.org": Case(
        answers(A=(ADDRESS, "192.0.2.0")),
        "implicit",
        MX_A,
        {"mx": [], "addresses": ["192.0.2.0", ADDRESS], "ttl": 60},
    ),
    "implicit-aaaa.org": Case(
        answers(AAAA=IPV6), "implicit", ALL, {"mx": [], "addresses": [IPV6], "ttl": 60}
    ),
    "implicit-alias.org": Case(
        alias("y.net", A=ADDRESS), "implicit", MX_A, {"mx": [], "addresses": [ADDRESS], "ttl": 60}
    ),
    "empty.org": Case(nodata(), "nodata", ALL),
    "alias-empty.org": Case(alias("z.net"), "nodata", ALL),
    "gone.org": Case(nxdomain(), "nxdomain", MX),
    "missing.org": Case(None, "nxdomain", MX),
}


@dataclass(frozen=True, slots=True)
class Pass:
    """All cases, checked."""

    server: NameServer
    checked: Checked


@pytest.fixture(scope="module")
def done() -> Iterator[Pass]:
    """Check all cases."""
    listed = {name: case.behaviour for name, case in CASES.items() if case.behaviour}
    with running_nameserver(Script(listed)) as server:
        yield Pass(server, check(CASES, Environment(nameservers=(server.address,)), command="mx"))


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_name_has_its_status(done: Pass, name: str) -> None:
    """Status and answer are what the records mean, and no more is asked than that takes."""
    case, outcome = CASES[name], done.checked.outcomes[name]
    assert (outcome.status, outcome.answer) == (case.status, case.answer)
    assert outcome.error is None
    assert set(questions(done.server, name)) == {(kind, "udp") for kind in case.asked}


def test_every_question_is_asked_once(done: Pass) -> None:
    """Of each type one question for a name, c-ares' own repetitions aside."""
    total = sum(len(case.asked) for case in CASES.values())
    assert done.checked.asked() == {done.server.address: total}


@pytest.mark.parametrize("kind", ["A", "AAAA"])
@pytest.mark.parametrize(("rcode", "status"), [("SERVFAIL", "servfail"), ("REFUSED", "refused")])
def test_an_address_that_nobody_tells_leaves_the_name_unsure(
    rcode: str, status: str, kind: str
) -> None:
    """Without MX the address decides; where the question for it fails, the name gets no verdict."""
    script = Script({"a.org": fails(rcode, types=(kind,), then=nodata())})
    with running_nameserver(script) as server:
        environment = Environment(nameservers=(server.address,))
        checked = check(["a.org"], environment, command="mx")
        outcome = checked.outcomes["a.org"]
        asked = MX_A if kind == "A" else ALL
        assert set(questions(server, "a.org")) == {(kind, "udp") for kind in asked}
        assert checked.asked() == {server.address: len(asked)}
    assert outcome.status == status
    assert outcome.error
    assert outcome.answer is None


def test_an_answer_has_an_end() -> None:
    """Of very many servers, the most preferred ones are kept."""
    records = tuple(f"{number} m{number}.org." for number in reversed(range(150)))
    with running_nameserver(Script({"many.org": truncated(answers(MX=records))})) as server:
        environment = Environment(nameservers=(server.address,))
        outcome = check(["many.org"], environment, command="mx").outcomes["many.org"]
    kept = [one["preference"] for one in (outcome.answer or {})["mx"]]
    assert outcome.status == "mail"
    assert kept == [*range(MAX_RECORDS)]
