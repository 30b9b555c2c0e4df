"""The DAG of a run: its nodes in an order in which each comes after those that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from commands.command import Command
from commands.environment import Environment
from commands.errors import CommandError
from commands.registry import command_named, make
from tasks.errors import InputError
from tasks.nodes import Node, read_nodes

#: The status of a domain that a needed check did not pass on; every check with needs has it.
SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """A node that is known to be right."""

    node: Node
    command: type[Command[Any, Any]]
    #: Needed check -> its statuses on which a domain goes on.
    needs: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """Its name in the results."""
        return self.node.check

    @property
    def statuses(self) -> tuple[str, ...]:
        """Every status that a domain may get, in the order of reports."""
        return (*self.command.statuses, SKIPPED) if self.needs else self.command.statuses


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks of a run, in topological order; among equals in the user's."""

    checks: tuple[Check, ...]

    def __iter__(self) -> Iterator[Check]:
        """Go through the checks."""
        return iter(self.checks)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the nodes with every default written out: equal plans are equal here."""
        return [
            {
                **check.node.model_dump(mode="json"),
                "command": check.node.command_name,
                "when": {need: list(statuses) for need, statuses in check.needs.items()},
            }
            for check in self.checks
        ]


def make_plan(checks: Sequence[Any]) -> Plan:
    """
    Look at everything that can be wrong with a DAG before anything runs.

    Args:
        checks: Names and nodes, as `read_nodes` takes them. The same name twice is one check.

    Raises:
        InputError: Where, and what: a cycle, a missing need, an unknown status, option or field.
        CommandError: A command is unknown or broken.
    """
    nodes: dict[str, Node] = {}
    for node in read_nodes(checks):
        if nodes.setdefault(node.check, node) != node:
            raise InputError(f"check '{node.check}' is there twice, and not the same")
    if not nodes:
        raise InputError("name at least one check, e.g. host")
    for node in nodes.values():
        if missing := [need for need in node.needs if need not in nodes]:
            raise InputError(
                f"check '{node.check}' needs '{missing[0]}', which is not among the checks; "
                f"there are: {', '.join(nodes)}"
            )
    commands = {name: _command(nodes[name]) for name in _in_order(nodes)}
    return Plan(
        tuple(
            Check(nodes[name], command, _needs(nodes[name], commands))
            for name, command in commands.items()
        )
    )


def _in_order(nodes: Mapping[str, Node]) -> list[str]:
    sorter = TopologicalSorter({name: node.needs for name, node in nodes.items()})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        # graphlib goes against the arrows; people read "a needs b".
        circle = " needs ".join(f"'{name}'" for name in reversed(error.args[1]))
        raise InputError(f"the checks go round in a circle: {circle}") from error


def _command(node: Node) -> type[Command[Any, Any]]:
    try:
        command = command_named(node.command_name)
        if not command.checks_domains:
            raise InputError(
                f"check '{node.check}': command '{command.name}' is for jobs: "
                "put one on a work queue with emit-job"
            )
        made = make(node.command_name, node.options, Environment())
        made.handle(node.handling)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"check '{node.check}': handling: {field}: {first['msg']}") from error
    except CommandError as error:
        raise type(error)(f"check '{node.check}': {error}") from error
    return command


def _needs(
    node: Node, commands: Mapping[str, type[Command[Any, Any]]]
) -> dict[str, tuple[str, ...]]:
    if isinstance(node.when, Mapping):
        by_need = dict(node.when)
        if strangers := sorted(by_need.keys() - set(node.needs)):
            raise InputError(f"check '{node.check}': when: '{strangers[0]}' is not in its needs")
        return {n: _legal(node, (n,), by_need.get(n, ()), commands)[n] for n in node.needs}
    return _legal(node, node.needs, node.when, commands)


def _legal(
    node: Node,
    needs: Sequence[str],
    wanted: Sequence[str],
    commands: Mapping[str, type[Command[Any, Any]]],
) -> dict[str, tuple[str, ...]]:
    """Return for each need the statuses to go on with; each of the wanted is one of some need."""
    known = {need: (*commands[need].statuses, SKIPPED) for need in needs}
    for status in wanted:
        if not any(status in statuses for statuses in known.values()):
            there = "; ".join(f"{need}: {', '.join(known[need])}" for need in needs) or "no needs"
            raise InputError(
                f"check '{node.check}': when: '{status}' is no status of what it needs ({there})"
            )
    chosen = {
        need: tuple(s for s in known[need] if s in (wanted or commands[need].good))
        for need in needs
    }
    if empty := [need for need, statuses in chosen.items() if not statuses]:
        raise InputError(
            f"check '{node.check}': when: none of {', '.join(wanted)} is a status of '{empty[0]}'; "
            f"write {{{empty[0]}: …}}"
        )
    return chosen
