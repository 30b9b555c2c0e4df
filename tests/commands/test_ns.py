"""`ns` says whether the registrable domain of a name, or the name itself, is delegated."""

from collections.abc import Iterator

import pytest

from commands.dns.asking import MAX_RECORDS
from commands.environment import Environment
from commands.errors import UnknownOption
from demo.behaviours import ADDRESS, alias, answers, nodata, nxdomain, truncated
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import check
from tests.commands.names import questions

SERVERS = answers(NS=("ns2.host.net.", "NS1.Host.net."), A=ADDRESS)
MANY = [f"ns{number:03}.host.net" for number in range(150)]
SCRIPT = Script(
    {
        "given.org": SERVERS,
        "given.co.uk": SERVERS,
        "org": answers(NS="a0.org."),
        "co.uk": answers(NS="a0.uk."),
        "empty.org": nodata(),
        "alias.org": alias("given.org", NS="ns1.host.net."),
        "gone.org": nxdomain(),
        "many.org": truncated(answers(NS=tuple(f"{name}." for name in MANY))),
        "sub.given.org": answers(NS="ns.sub.given.org."),
    }
)
NAMES = ["ns1.host.net", "ns2.host.net"]
#: Name -> what is asked by default, and its status.
REGISTRABLE = {
    "given.org": ("given.org", "delegated"),
    "www.given.org": ("given.org", "delegated"),
    "a.b.c.given.org": ("given.org", "delegated"),
    "given.co.uk": ("given.co.uk", "delegated"),
    "www.given.co.uk": ("given.co.uk", "delegated"),
    "_dmarc.given.org": ("given.org", "delegated"),
    "sub.given.org": ("given.org", "delegated"),
    # Public suffixes are registered by nobody, and asked for themselves.
    "org": ("org", "delegated"),
    "co.uk": ("co.uk", "delegated"),
    "empty.org": ("empty.org", "nodata"),
    # The servers are those of the other name.
    "alias.org": ("alias.org", "nodata"),
    "gone.org": ("gone.org", "nxdomain"),
    "www.missing.org": ("missing.org", "nxdomain"),
    "missing.co.uk": ("missing.co.uk", "nxdomain"),
}


@pytest.fixture
def server() -> Iterator[NameServer]:
    """Give a name server that has not been asked before."""
    with running_nameserver(SCRIPT) as running:
        yield running


@pytest.mark.parametrize("name", REGISTRABLE)
def test_the_registrable_domain_is_asked_once(server: NameServer, name: str) -> None:
    """One question, for the registrable domain, decides."""
    asked, status = REGISTRABLE[name]
    checked = check([name], Environment(nameservers=(server.address,)), command="ns")
    outcome = checked.outcomes[name]
    assert outcome.status == status
    assert outcome.error is None
    assert outcome.decided_by == server.address
    assert set(questions(server, asked)) == {("NS", "udp")}
    # As it counts itself: where this machine is busy c-ares repeats a question.
    assert checked.asked() == {server.address: 1}
    assert {seen for seen, _, _ in server.queries} == {asked, "."}


def test_the_answer_has_the_servers(server: NameServer) -> None:
    """The servers are sorted, in lower case, beside the name that was asked."""
    environment = Environment(nameservers=(server.address,))
    outcomes = check(["www.given.org", "empty.org"], environment, command="ns").outcomes
    assert outcomes["www.given.org"].answer == {"asked": "given.org", "ns": NAMES, "ttl": 60}
    assert outcomes["empty.org"].answer is None


def test_the_name_itself_can_be_asked(server: NameServer) -> None:
    """With `at` set to `name`, a name is asked for itself, whoever owns what is above it."""
    environment = Environment(nameservers=(server.address,))
    names = ["given.org", "sub.given.org", "www.given.org"]
    checked = check(names, environment, command="ns", options={"at": "name"})
    assert checked.statuses == {
        "given.org": "delegated",
        "sub.given.org": "delegated",
        "www.given.org": "nxdomain",
    }
    answer = checked.outcomes["sub.given.org"].answer
    assert answer == {"asked": "sub.given.org", "ns": ["ns.sub.given.org"], "ttl": 60}


def test_an_answer_has_an_end(server: NameServer) -> None:
    """Of very many servers, which come over TCP, the first ones are kept."""
    environment = Environment(nameservers=(server.address,))
    outcome = check(["many.org"], environment, command="ns").outcomes["many.org"]
    assert outcome.status == "delegated"
    assert (outcome.answer or {})["ns"] == MANY[:MAX_RECORDS]


def test_another_place_is_refused() -> None:
    """A place to ask at that there is not is refused, with those that there are."""
    with pytest.raises(UnknownOption, match=r"'at'.*'registrable' or 'name'"):
        check(["a.org"], Environment(), command="ns", options={"at": "parent"})
