"""`host-program` says of every name what `host` says, and runs nothing but the one program."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from commands import execution
from commands.environment import Environment
from commands.errors import ProgramMissing
from commands.execution import Finished
from commands.handling import Handling
from commands.host_program import HostProgram
from commands.loop import submit
from demo.behaviours import silent
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.checking import Checked, check, run_batch
from tests.commands.names import CASES, script
from tests.services.processes import free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """The first pass over all cases, by either command."""

    server: NameServer
    host: Checked
    program: Checked


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """Check all cases by both, each against a server that has not been asked before."""
    with running_nameserver(script()) as server:
        host = check(CASES, Environment(nameservers=(server.address,)))
    with running_nameserver(script()) as server:
        environment = Environment(nameservers=(server.address,))
        program = check(CASES, environment, command="host-program")
        yield Both(server=server, host=host, program=program)


@pytest.mark.parametrize("name", CASES)
def test_both_agree(both: Both, name: str) -> None:
    """Status, addresses and aliases are those of `host`."""
    ours, theirs = both.host.outcomes[name], both.program.outcomes[name]
    assert theirs.status == ours.status == CASES[name].status
    for key in ("a", "aaaa", "cname"):
        assert sorted((theirs.answer or {}).get(key, [])) == sorted(
            (ours.answer or {}).get(key, [])
        )
    assert bool(theirs.error) == bool(ours.error)


def test_only_the_names_are_asked(both: Both) -> None:
    """The server of the environment is the one that is asked, for these names and no others."""
    assert {name for name, _, _ in both.server.queries} == set(CASES)


def test_the_second_pass_asks_the_next_server() -> None:
    """With two servers, the second pass goes to the other one."""
    with running_nameserver(script()) as one, running_nameserver(script()) as two:
        servers = (one.address, two.address)
        for second_pass, asked, idle in ((False, one, two), (True, two, one)):
            before = idle.queries
            environment = Environment(nameservers=servers, second_pass=second_pass)
            assert check(["a.org"], environment, command="host-program").statuses == {
                "a.org": "resolves"
            }
            assert asked.queries["a.org", "A", "udp"] >= 1
            assert idle.queries == before


def test_a_closed_port_is_an_error() -> None:
    """A server that is not there says nothing about a name: neither silence nor an answer."""
    environment = Environment(nameservers=(f"127.0.0.1:{free_port()}",))
    outcome = check(["a.org"], environment, command="host-program").outcomes["a.org"]
    assert outcome.status == "error"
    assert "refused" in (outcome.error or "")


HOSTILE = [
    "$(touch {file}).org",
    "`touch {file}`.org",
    "a.org; touch {file}",
    "a.org\ntouch {file}",
    "a.org | touch {file}",
    "a.org && touch {file}",
    "a.org > {file}",
    "'; touch {file} #",
    "-v",
    "-f{file}",
    "--version",
    "-",
    "",
    "a.org b.org",
    "*",
]


@pytest.mark.parametrize("payload", HOSTILE)
def test_no_shell_sees_a_name(payload: str, tmp_path: Path) -> None:
    """Whatever a payload is, nothing but the program runs, and it resolves to nothing."""
    file = tmp_path / "file"
    with running_nameserver(script()) as server:
        environment = Environment(nameservers=(server.address,))
        name = payload.format(file=file)
        checked = check([name, "a.org"], environment, command="host-program")
        assert checked.statuses["a.org"] == "resolves"
        assert checked.statuses[name] != "resolves"
    assert not file.exists()


@pytest.mark.parametrize("payload", ["-v", "-V", "-f/etc/passwd", "-Tnames.org", "--", "-"])
def test_a_payload_is_never_an_option(payload: str) -> None:
    """What begins with a dash is refused before the program runs."""
    with running_nameserver(script()) as server:
        environment = Environment(nameservers=(server.address,))
        outcome = check([payload], environment, command="host-program").outcomes[payload]
        assert not server.queries
    assert outcome.status == "error"
    assert "option" in (outcome.error or "")


def test_a_missing_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program one line names it and its package, and no name has a status."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProgramMissing) as caught:
        check(["a.org"], Environment(), command="host-program")
    message = str(caught.value)
    assert "'host'" in message
    assert "bind9-host" in message
    assert "\n" not in message


class Impatient(HostProgram):
    """It waits less than the program does."""

    handling = Handling(timeout_seconds=1.0)


def children() -> list[int]:
    """List this process's children that run the program."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.name() == "host":
                found.append(child.pid)
    return found


def eight_children() -> None:
    """Wait until so many run."""
    deadline = time.monotonic() + 30
    while len(children()) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_time_limit_ends_the_process() -> None:
    """A program that takes too long is killed: its name timed out, and no process is left."""
    names = [f"name{n}.org" for n in range(8)]
    finished: list[Finished] = []

    async def work(environment: Environment) -> None:
        async with Impatient({}, environment) as command:
            await execution.run(command, names, finished.append)

    with running_nameserver(Script({}, default=silent())) as server:
        # In the second pass the program would ask again after five seconds only.
        environment = Environment(nameservers=(server.address,), second_pass=True)
        submit(work(environment)).result(60)
        assert set(server.queries.values()) <= {1}
    assert [one.outcome.status for one in finished] == ["timeout"] * len(names)
    assert children() == []


def test_a_stopped_batch_ends_its_processes() -> None:
    """When a batch is cancelled, its programs are killed before the batch has ended."""

    async def work(environment: Environment) -> int:
        batch = asyncio.create_task(
            run_batch([f"name{n}.org" for n in range(8)], environment, command="host-program")
        )
        await asyncio.to_thread(eight_children)
        batch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await batch
        return len(children())

    with running_nameserver(Script({}, default=silent())) as server:
        # In the second pass the programs wait long enough to be there all at once.
        environment = Environment(nameservers=(server.address,), second_pass=True)
        assert submit(work(environment)).result(60) == 0
