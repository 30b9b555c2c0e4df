"""Commands are found by name, also those of other distributions, whatever state these are in."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands.command import Command
from commands.cron_events.command import CronEvents
from commands.cron_frame.command import CronFrame
from commands.environment import Environment
from commands.errors import UnknownCommand, UnknownOption
from commands.host import Host
from commands.host_program import HostProgram
from commands.http.command import Http
from commands.mx import Mx
from commands.ns import Ns
from commands.program import Program
from commands.rdap import Rdap
from commands.registry import command_named, command_names, make
from commands.tls import Tls
from commands.txt import Txt

ROOT = Path(__file__).parents[2]
OURS: dict[str, type[Command[Any, Any]]] = {
    "cron_frame": CronFrame,
    "cron_events": CronEvents,
    "host": Host,
    "host-program": HostProgram,
    "http": Http,
    "mx": Mx,
    "ns": Ns,
    "program": Program,
    "rdap": Rdap,
    "tls": Tls,
    "txt": Txt,
}
#: The options without which a command cannot be made.
NEEDED = {"program": {"argv": ["true", "{name}"]}}


@pytest.mark.parametrize("name", OURS)
def test_ours_are_registered(name: str) -> None:
    """Each bundled command is there under its own name."""
    assert command_named(name) is OURS[name]
    assert OURS[name].name == name
    assert name in command_names()


@pytest.mark.parametrize("name", OURS)
def test_a_commands_words_fit_together(name: str) -> None:
    """Good, unsure and failure statuses are among the statuses, and none is good and unsure."""
    command = OURS[name]
    used = command.good | command.unsure | {command.expired_status, command.failed_status}
    assert used <= set(command.statuses)
    assert not command.good & command.unsure
    assert len(set(command.statuses)) == len(command.statuses)


@pytest.mark.parametrize("name", ["", "hosts", "HOST", "host ", "no-such-command"])
def test_an_unknown_command_lists_the_known(name: str) -> None:
    """A name that is not registered is refused in one line, with the names that are."""
    with pytest.raises(UnknownCommand) as caught:
        make(name, {}, Environment())
    message = str(caught.value)
    assert f"'{name}'" in message
    assert ", ".join(command_names()) in message
    assert "\n" not in message


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("option", ["retries", "in_flight", "__class__", ""])
def test_an_unknown_option_is_named(name: str, option: str) -> None:
    """An option that the command does not have is refused, with the command's name and its own."""
    with pytest.raises(UnknownOption) as caught:
        make(name, {**NEEDED.get(name, {}), option: 1}, Environment())
    message = str(caught.value)
    assert f"'{name}'" in message
    assert f"'{option}'" in message
    assert "\n" not in message


#: Name of a command to its module, and to what refusing it must say; None where it works.
THEIRS: dict[str, tuple[str, str | None]] = {
    "shout": (
        """
from commands.command import Command, Options, Outcome

class ShoutOptions(Options):
    times: int = 1

class Made(Command):
    name = "shout"
    statuses = ("shouted", "timeout", "error")
    good = frozenset({"shouted"})

    @classmethod
    def options_type(cls):
        return ShoutOptions

    def prepare(self, payload):
        return payload

    async def execute(self, execution):
        return execution.upper() * self.options.times

    def interpret(self, output):
        return Outcome(status="shouted", answer={"text": output})
""",
        None,
    ),
    "absent": ("", "absent"),
    "empty": ("# nothing is in here", "Made"),
    "needy": ("import a_module_that_nobody_has", "a_module_that_nobody_has"),
    "crooked": ("def Made(:", "invalid syntax"),
    "raising": ("raise RuntimeError('not on this machine')", "not on this machine"),
    "foreign": ("class Made: pass", "no subclass"),
    "misnamed": (
        """
from commands.command import Command

class Made(Command):
    name = "named"
    statuses = ("timeout", "error")
    good = frozenset()
""",
        "calls itself",
    ),
    "unlisted": (
        """
from commands.command import Command

class Made(Command):
    name = "unlisted"
    statuses = ("open", "closed", "timeout")
    good = frozenset({"open"})
""",
        "does not list its statuses error",
    ),
    "function": ("def Made(options, environment): pass", "no subclass"),
}
TRY = """
import json, sys
from commands.cron_frame.command import CronFrame
from commands.environment import Environment
from commands.errors import CommandError
from commands.registry import command_names, make
from tests.commands.checking import check
from commands.loop import submit
from commands import execution

def attempt(name, options):
    try:
        command = make(name, options, Environment())
    except CommandError as error:
        return [type(error).__name__, str(error)]
    found = []
    submit(execution.run(command, ["a", "b"], found.append)).result(10)
    return sorted([one.payload, one.outcome.status, one.outcome.answer] for one in found)

print(json.dumps({
    "names": command_names(),
    "wrong": attempt("shout", {"times": "often"}),
    **{name: attempt(name, {"times": 2} if name == "shout" else {}) for name in sys.argv[1:]},
    "host": type(make("host", {}, Environment())).__name__,
}))
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Install a distribution with several commands, and give what a process makes of them."""
    folder = tmp_path_factory.mktemp("theirs")
    information = folder / "theirs-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    points = "".join(f"{name} = theirs_{name}:Made\n" for name in THEIRS)
    (information / "entry_points.txt").write_text(f"[rollcall.commands]\n{points}")
    for name, (code, _) in THEIRS.items():
        if code:
            (folder / f"theirs_{name}.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    command = [sys.executable, "-c", TRY, *THEIRS]
    printed = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    found: dict[str, Any] = json.loads(printed)
    return found


def test_other_distributions_add_commands(theirs: dict[str, Any]) -> None:
    """A command of another distribution is listed, takes its options, and runs."""
    assert set(theirs["names"]) == {*THEIRS, *command_names()}
    assert theirs["shout"] == [["a", "shouted", {"text": "AA"}], ["b", "shouted", {"text": "BB"}]]


def test_a_wrong_value_of_an_option_is_named(theirs: dict[str, Any]) -> None:
    """A value that an option cannot have is refused, with the option's and the command's name."""
    kind, message = theirs["wrong"]
    assert kind == "UnknownOption"
    assert "'shout'" in message
    assert "'times'" in message


@pytest.mark.parametrize("name", [name for name, (_, error) in THEIRS.items() if error])
def test_a_broken_command_harms_only_itself(theirs: dict[str, Any], name: str) -> None:
    """A command that cannot be imported is refused with its reason, and ours is still there."""
    kind, message = theirs[name]
    assert kind == "BrokenCommand"
    assert f"'{name}'" in message
    assert THEIRS[name][1] in message
    assert theirs["host"] == "Host"
