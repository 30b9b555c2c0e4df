"""What holds for each command that asks for records: who is not answered is asked again later."""

import asyncio

import pytest

from commands.environment import Environment
from commands.errors import NoNameServerAnswers
from commands.loop import submit
from demo.behaviours import answers, fails, silent
from demo.nameserver import running_nameserver
from demo.script import Script
from tests.commands.checking import Checked, check, run_batch
from tests.commands.names import questions
from tests.services.processes import free_port

#: Command -> its question, and its status when that is answered.
COMMANDS = {"ns": ("NS", "delegated"), "mx": ("MX", "mail"), "txt": ("TXT", "spf")}
THERE = answers(NS="ns.a.org.", MX="10 m.a.org.", TXT='"v=spf1 -all"')
TROUBLE = {
    "servfail.org": ("SERVFAIL", "servfail"),
    "refused.org": ("REFUSED", "refused"),
    "notimp.org": ("NOTIMP", "error"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unanswered_question_is_unsure(command: str) -> None:
    """A question that fails leaves its name unsure, with one line that says why."""
    script = Script({name: fails(rcode) for name, (rcode, _) in TROUBLE.items()})
    with running_nameserver(script) as server:
        environment = Environment(nameservers=(server.address,))
        checked = check(TROUBLE, environment, command=command)
        kind = COMMANDS[command][0]
        assert all(set(questions(server, name)) == {(kind, "udp")} for name in TROUBLE)
        accounts = {f"{server.address} {status}": 1 for _, status in TROUBLE.values()}
        assert checked.counters == accounts
        assert {outcome.decided_by for outcome in checked.outcomes.values()} == {server.address}
    assert checked.statuses == {name: status for name, (_, status) in TROUBLE.items()}
    for outcome in checked.outcomes.values():
        assert outcome.answer is None
        assert outcome.error
        assert "\n" not in outcome.error


def test_silence_is_a_timeout() -> None:
    """A question that nobody answers is asked again, and then its name has timed out."""

    async def work(environment: Environment) -> list[Checked]:
        batches = (run_batch(["a.org"], environment, command=command) for command in COMMANDS)
        return await asyncio.gather(*batches)

    with running_nameserver(Script({"a.org": silent()})) as server:
        done = submit(work(Environment(nameservers=(server.address,)))).result(60)
        asked = questions(server, "a.org")
    assert [checked.statuses for checked in done] == [{"a.org": "timeout"}] * len(COMMANDS)
    assert set(asked) == {(kind, "udp") for kind, _ in COMMANDS.values()}
    assert min(asked.values()) >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_second_pass_asks_the_next_server(command: str) -> None:
    """A name that one server failed gets its status from the other one."""
    names = [f"name{n}.org" for n in range(20)]
    with (
        running_nameserver(Script({}, default=fails("SERVFAIL"))) as broken,
        running_nameserver(Script(dict.fromkeys(names, THERE))) as good,
    ):
        servers = (broken.address, good.address)
        first = check(names, Environment(nameservers=servers), command=command)
        unsure = [name for name, status in first.statuses.items() if status == "servfail"]
        again = Environment(nameservers=servers, second_pass=True)
        second = check(unsure, again, command=command)
    assert 0 < len(unsure) < len(names)
    assert first.statuses | second.statuses == dict.fromkeys(names, COMMANDS[command][1])


@pytest.mark.parametrize("command", COMMANDS)
def test_without_any_server_no_name_is_judged(command: str) -> None:
    """When nobody answers, no name has a status."""
    with pytest.raises(NoNameServerAnswers):
        check(["a.org"], Environment(nameservers=(f"127.0.0.1:{free_port()}",)), command=command)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["a..b", f"{'x' * 64}.org", "ﬀ\u0378.de"])
def test_what_is_no_name_harms_nobody(command: str, name: str) -> None:
    """A payload that cannot be asked is an error of its own; its neighbour has its status."""
    with running_nameserver(Script({"a.org": THERE})) as server:
        environment = Environment(nameservers=(server.address,))
        statuses = check([name, "a.org"], environment, command=command).statuses
    assert statuses == {name: "error", "a.org": COMMANDS[command][1]}
