"""The commands by name: ours, and those that other distributions add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from commands.command import Command
from commands.environment import Environment
from commands.errors import BrokenCommand, UnknownCommand, UnknownOption

#: The entry point group by which a distribution adds commands; ours are in it, too.
GROUP = "rollcall.commands"


def command_names() -> tuple[str, ...]:
    """Return the names of the commands that are installed, in alphabetical order."""
    return tuple(sorted(_points()))


@cache
def command_named(name: str) -> type[Command[Any, Any]]:
    """
    Return a command; only this one is imported, so a broken one elsewhere does no harm.

    Raises:
        UnknownCommand: There is none of this name.
        BrokenCommand: There is one, and it cannot be imported.
    """
    point = _points().get(name)
    if point is None:
        message = f"unknown command '{name}'; there are: {', '.join(command_names())}"
        raise UnknownCommand(message)
    try:
        command: object = point.load()
    except Exception as error:
        message = f"command '{name}' cannot be imported from {point.value}: {error}"
        raise BrokenCommand(message) from error
    if not (isinstance(command, type) and issubclass(command, Command)):
        message = f"command '{name}': {point.value} is no subclass of commands.command.Command"
        raise BrokenCommand(message)
    _check_words(name, command)
    return command


def _check_words(name: str, command: type[Command[Any, Any]]) -> None:
    """Find now what would break a run at its very end."""
    known = set(command.statuses)
    used = {command.failed_status, command.expired_status} | command.good | command.unsure
    if command.name != name:
        message = f"command '{name}' calls itself '{command.name}'; both must be the same"
        raise BrokenCommand(message)
    if missing := sorted(used - known):
        message = f"command '{name}' does not list its statuses {', '.join(missing)}"
        raise BrokenCommand(message)


@cache
def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def make(name: str, options: Mapping[str, Any], environment: Environment) -> Command[Any, Any]:
    """
    Make a command for one batch.

    Raises:
        UnknownCommand: There is none of this name.
        UnknownOption: It has no such option, or the value is not legal.
    """
    try:
        return command_named(name)(options, environment)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            known = ", ".join(command_named(name).options_type().model_fields) or "none"
            reason = f"there is no such option; there are: {known}"
        message = f"command '{name}', option '{where}': {reason}"
        raise UnknownOption(message) from error
