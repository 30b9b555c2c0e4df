"""`host` tells every kind of name apart, and asks no more than it needs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.environment import Environment
from demo.behaviours import ADDRESS, answers, slow
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import Checked, check
from tests.commands.names import CASES, A, questions, script
from tests.services.knot import running_knot, write_zone
from tests.services.lossy import running_lossy_proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Both passes over all cases."""

    server: NameServer
    first: Checked
    #: The questions until the end of the first pass.
    asked: Counter[tuple[str, str, str]]
    second: Checked


@pytest.fixture(scope="module")
def passes() -> Iterator[Passes]:
    """Give both passes over all cases, the second over the names that were unsure."""
    with running_nameserver(script()) as server:
        first = check(CASES, Environment(nameservers=(server.address,)))
        asked = server.queries
        again = Environment(nameservers=(server.address,), second_pass=True)
        second = check(first.unsure(), again)
        yield Passes(server=server, first=first, asked=asked, second=second)


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_name_has_its_status(passes: Passes, name: str) -> None:
    """The status of a name is what its answers mean, after the first and after both passes."""
    case = CASES[name]
    both = passes.first.statuses | passes.second.statuses
    assert (passes.first.statuses[name], both[name]) == (case.status, case.final)


@pytest.mark.parametrize("name", CASES)
def test_a_name_is_asked_no_more_than_needed(passes: Passes, name: str) -> None:
    """A is asked once, AAAA only where there is no A, TCP only after truncation."""
    asked = {(kind, how): n for (seen, kind, how), n in passes.asked.items() if seen == name}
    if CASES[name].questions is None:
        assert set(asked) == {("A", "udp")}
        assert asked["A", "udp"] >= 2
    else:
        needed = CASES[name].questions or {}
        # Where this machine is busy c-ares repeats a question, to be counted by the next test.
        assert set(asked) == set(needed)
        assert all(asked[question] >= times for question, times in needed.items())


def test_every_question_is_asked_once(passes: Passes) -> None:
    """Of each type one question for a name, c-ares' own repetitions and TCP aside."""
    asked = [{kind for kind, _ in case.questions or A} for case in CASES.values()]
    assert passes.first.asked() == {passes.server.address: sum(map(len, asked))}


@pytest.mark.parametrize("name", CASES)
def test_an_answer_says_what_was_learned(passes: Passes, name: str) -> None:
    """Addresses and aliases are in the answer of a name that resolves, and nothing in any other."""
    case, outcome = CASES[name], passes.first.outcomes[name]
    assert outcome.decided_by == passes.server.address
    if case.addresses is None:
        assert outcome.answer is None
    else:
        answer = dict(outcome.answer or {})
        # A server may give the addresses of a name in any order.
        assert {key: sorted(answer.pop(key)) for key in case.addresses} == {
            key: sorted(addresses) for key, addresses in case.addresses.items()
        }
        assert answer == {"ttl": 60, **({"cname": case.cname} if case.cname else {})}


@pytest.mark.parametrize("name", CASES)
def test_only_unsure_names_have_an_error(passes: Passes, name: str) -> None:
    """A name that is not sure says why in one line, a sure one says nothing."""
    outcome = passes.first.outcomes[name]
    if CASES[name].status in {"resolves", "nodata", "nxdomain"}:
        assert outcome.error is None
    else:
        assert outcome.error
        assert "\n" not in outcome.error


@pytest.mark.parametrize("name", ["servfail.org", "refused.org", "notimp.org"])
def test_a_failing_name_is_asked_once_a_pass(passes: Passes, name: str) -> None:
    """A name whose server fails is not asked again in the same breath, nor forgotten later."""
    assert set(questions(passes.server, name)) == {("A", "udp")}
    assert questions(passes.server, name)["A", "udp"] >= 2
    assert passes.second.asked() == {passes.server.address: len(passes.first.unsure())}


def test_nothing_but_the_names_is_asked(passes: Passes) -> None:
    """No search domain is tried: the server sees the names and the opening question."""
    assert {name for name, _, _ in passes.asked} == {*CASES, "."}


def test_the_hosts_file_is_not_read() -> None:
    """Names that /etc/hosts has are asked all the same, and the server's word counts."""
    lines = Path("/etc/hosts").read_text().splitlines()
    listed = {name for line in lines for name in line.partition("#")[0].split()[1:]}
    names = {"localhost", "name.localhost", *listed}
    with running_nameserver(Script({})) as server:
        statuses = check(names, Environment(nameservers=(server.address,))).statuses
        assert statuses == dict.fromkeys(names, "nxdomain")
        assert {name for name, _, _ in server.queries} == {name.lower() for name in names} | {"."}


@pytest.mark.parametrize(
    "name", ["a..b", f"{'x' * 64}.org", f"{'y' * 60}." * 5 + "org", "ﬀ\u0378.de"]
)
def test_what_is_no_name_harms_nobody(name: str) -> None:
    """A payload that cannot be asked is an error of its own; its neighbour resolves."""
    with running_nameserver(Script({"a.org": answers(A=ADDRESS)})) as server:
        statuses = check([name, "a.org"], Environment(nameservers=(server.address,))).statuses
        assert {asked for asked, _, _ in server.queries} == {".", "a.org"}
    assert statuses == {name: "error", "a.org": "resolves"}


def test_the_second_pass_waits_for_slow_names() -> None:
    """A slow name among many fast ones resolves in the second pass, though c-ares is in a hurry."""
    late = [f"late{n}.org" for n in range(5)]
    listed = dict.fromkeys(late, slow(answers(A=ADDRESS), milliseconds=900))
    with running_nameserver(Script({**listed, "*.fast.org": answers(A=ADDRESS)})) as server:
        again = Environment(nameservers=(server.address,), second_pass=True)
        names = [*(f"n{n}.fast.org" for n in range(300)), *late]
        assert check(names, again).statuses == dict.fromkeys(names, "resolves")


def test_a_second_batch_asks_the_network_again() -> None:
    """No answer of an earlier batch is reused, however long it may be kept."""
    names = [f"n{n}.wild.org" for n in range(50)]
    with running_nameserver(script()) as server:
        environment = Environment(nameservers=(server.address,))
        for batches in (1, 2, 3):
            assert set(check(names, environment).statuses.values()) == {"resolves"}
            assert sum(questions(server, name).total() for name in names) >= 50 * batches


def test_lost_replies_cost_no_name(tmp_path: Path) -> None:
    """With every twentieth reply lost, all of 3,000 names are right after the second pass."""
    names = [f"host{n}.example{n % 7}.com" for n in range(3_000)]
    truth: dict[str, str] = {}
    with (
        running_knot(tmp_path, lambda path: truth.update(write_zone(path, names))) as knot,
        running_lossy_proxy(tmp_path, upstream=knot.address, loss=0.05, seed=7) as address,
    ):
        first = check(names, Environment(nameservers=(address,)))
        wrong = {n: s for n, s in first.statuses.items() if s not in {truth[n], "timeout"}}
        again = Environment(nameservers=(address,), second_pass=True)
        second = check(first.unsure(), again)
    assert wrong == {}
    assert first.statuses | second.statuses == truth
