"""Several name servers share the work, and one that is broken or gone costs no name."""

from collections import Counter
from collections.abc import Callable

import pytest

from commands.environment import Environment
from commands.errors import BadNameServer, NoNameServerAnswers
from demo.behaviours import ADDRESS, answers, fails, nodata, silent, then
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import check
from tests.services.processes import free_port

NAMES = [f"name{n}.org" for n in range(400)]
#: One of 20 has no address and one does not exist; which, any server of the tests knows.
KNOWN = {
    name: nodata() if n % 20 == 0 else answers(A=ADDRESS)
    for n, name in enumerate(NAMES)
    if n % 20 != 1
}
TRUTH = {name: {0: "nodata", 1: "nxdomain"}.get(n % 20, "resolves") for n, name in enumerate(NAMES)}


def asked(server: NameServer) -> int:
    """Count the questions about names: the opening one and repetitions are c-ares' affair."""
    return len({(name, kind) for name, kind, _ in server.queries if name != "."})


def closed() -> str:
    """Give an address where nobody listens."""
    return f"127.0.0.1:{free_port()}"


def test_names_are_spread_over_the_servers() -> None:
    """Each of three servers gets its share, and the accounts are the questions that it got."""
    with (
        running_nameserver(Script(KNOWN)) as one,
        running_nameserver(Script(KNOWN)) as two,
        running_nameserver(Script(KNOWN)) as three,
    ):
        servers = (one, two, three)
        checked = check(NAMES, Environment(nameservers=tuple(s.address for s in servers)))
        assert checked.statuses == TRUTH
        assert checked.asked() == {server.address: asked(server) for server in servers}
        assert all(asked(server) > len(NAMES) / 6 for server in servers)
        decided = Counter(outcome.decided_by for outcome in checked.outcomes.values())
        # Names without A were asked twice, of the same server.
        assert all(0 < decided[server.address] < asked(server) for server in servers)


def test_accounts_say_what_came_of_the_questions() -> None:
    """Every question is in one account of its server: answered, or the way in which it was not."""
    names = {"s.org": fails("SERVFAIL"), "r.org": fails("REFUSED"), "n.org": fails("NOTIMP")}
    with running_nameserver(Script({**names, "q.org": silent(), "a.org": nodata()})) as server:
        counters = check([*names, "q.org", "a.org"], Environment(nameservers=(server.address,)))
        accounts = {"servfail": 1, "refused": 1, "error": 1, "timeout": 1, "answered": 2}
        assert counters.counters == {f"{server.address} {key}": n for key, n in accounts.items()}


@pytest.mark.parametrize("second_pass", [False, True])
def test_a_dead_server_is_left_out(*, second_pass: bool) -> None:
    """With one of two servers gone, every name gets its status from the other one."""
    with running_nameserver(Script(KNOWN)) as alive:
        servers = (closed(), alive.address)
        checked = check(NAMES, Environment(nameservers=servers, second_pass=second_pass))
        assert checked.statuses == TRUTH
        assert checked.asked() == {alive.address: asked(alive)}


def test_a_broken_server_fails_no_name_for_good() -> None:
    """What a server that fails everything left unsure is asked of the other one later."""
    with (
        running_nameserver(Script({}, default=fails("SERVFAIL"))) as broken,
        running_nameserver(Script(KNOWN)) as good,
    ):
        servers = (broken.address, good.address)
        first = check(NAMES, Environment(nameservers=servers))
        unsure = first.unsure()
        second = check(unsure, Environment(nameservers=servers, second_pass=True))
        assert len(NAMES) / 4 < len(unsure) < len(NAMES)
        assert {first.outcomes[name].decided_by for name in unsure} == {broken.address}
        assert first.statuses | second.statuses == TRUTH
        assert asked(broken) == len(unsure)


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "NXDOMAIN"])
def test_any_reply_shows_that_a_server_is_there(rcode: str) -> None:
    """A server that does not like the opening question is asked about names all the same."""
    with running_nameserver(Script({".": fails(rcode), "a.org": answers(A=ADDRESS)})) as server:
        checked = check(["a.org"], Environment(nameservers=(server.address,)))
    assert checked.statuses == {"a.org": "resolves"}


def test_batches_share_one_opening_question() -> None:
    """Whether a server is there is asked once, not by every batch."""
    # Whoever asked it once more would hear nothing, and take the server for dead.
    opening = then(answers(NS="ns.org."), silent())
    with running_nameserver(Script({**KNOWN, ".": opening})) as server:
        for name in NAMES[:5]:
            check([name], Environment(nameservers=(server.address,)))


@pytest.mark.parametrize("how", [closed, None], ids=["closed ports", "silence"])
def test_without_any_server_no_name_is_judged(how: Callable[[], str] | None) -> None:
    """When nobody answers, one line names the servers and the setting, and no name has a status."""
    with running_nameserver(Script({".": silent()}, default=silent())) as mute:
        servers = (how(), how()) if how else (mute.address,)
        with pytest.raises(NoNameServerAnswers) as caught:
            check(NAMES, Environment(nameservers=servers))
        assert asked(mute) == 0
    message = str(caught.value)
    assert all(part in message for part in (*servers, "ROLLCALL_NAMESERVERS"))
    assert "\n" not in message


def test_a_server_that_comes_back_is_used() -> None:
    """An outage is not remembered: as soon as the server answers, so does the next batch."""
    port = free_port()
    environment = Environment(nameservers=(f"127.0.0.1:{port}",))
    with pytest.raises(NoNameServerAnswers):
        check(NAMES, environment)
    with running_nameserver(Script(KNOWN), port=port):
        assert check(NAMES, environment).statuses == TRUTH


@pytest.mark.parametrize("command", ["host", "host-program"])
@pytest.mark.parametrize("wrong", ["nonsense", "127.0.0.1:0", "192.0.2.1:65536", "[::1]:dns"])
def test_a_wrong_setting_is_one_line(command: str, wrong: str) -> None:
    """An entry that is no name server is named in one line, before any name is asked."""
    with pytest.raises(BadNameServer) as caught:
        check(NAMES, Environment(nameservers=("127.0.0.1", wrong)), command=command)
    assert wrong in str(caught.value)
    assert "\n" not in str(caught.value)
