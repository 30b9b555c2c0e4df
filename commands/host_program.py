"""
`host-program`: what `host` does, by the `host` program of BIND.

It is slow (a process a question) and here for two reasons: it proves that an external program
fits the three steps, and people who trust `host` can compare. Its exit code is of no use: 0 stands
for "no record at all" too, and 1 for NXDOMAIN, SERVFAIL, REFUSED and silence alike. So the text is
read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from commands.command import Command, Outcome
from commands.dns.address import DEFAULT_PORT, host_and_port, name_servers
from commands.dns.asking import UNANSWERED
from commands.environment import Environment
from commands.handling import Handling
from commands.host import STATUSES
from commands.programs import process

#: Seconds that the program waits for a reply, and how often it asks again.
WAIT_SECONDS = {False: "2", True: "5"}
REPEATS = "1"
#: More than it makes of the longest DNS message, with some 4,000 addresses.
MAX_OUTPUT_BYTES = 1024 * 1024

_ADDRESS = re.compile(r"has (?:IPv6 )?address (\S+)")
_ALIAS = re.compile(r"is an alias for (\S+)\.")
_RCODE = re.compile(r"not found: \d+\((\w+)\)")
_EMPTY = re.compile(r"has no A(?:AAA)? record")
_UNREACHABLE = re.compile(r"connection refused|network unreachable|host unreachable")
_SILENCE = re.compile(r"timed out|no servers could be reached")
_RCODES = {"NXDOMAIN": "nxdomain", "SERVFAIL": "servfail", "REFUSED": "refused"}


@dataclass(frozen=True, slots=True)
class Printed:
    """What the program printed for one name, by record type; the last one decides."""

    texts: Mapping[str, str]


class HostProgram(Command[tuple[str, ...], Printed]):
    """Look a name up with the `host` program: A, and AAAA where there is no A."""

    name = "host-program"
    statuses = STATUSES
    good = frozenset({"resolves"})
    unsure = frozenset(UNANSWERED)
    in_flight = 32
    handling = Handling(timeout_seconds=30.0, reactions=process.REACTIONS)

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options."""
        super().__init__(options, environment)
        self._program = ""
        self._server: tuple[str, ...] = ()
        self._port = str(DEFAULT_PORT)

    async def __aenter__(self) -> Self:
        """Find the program, and the server that it shall ask; without one it takes the system's."""
        self._program = process.find("host", package="bind9-host")
        if self.environment.nameservers:
            servers = name_servers(self.environment.nameservers)
            server, self._port = host_and_port(servers[self.environment.second_pass % len(servers)])
            self._server = (server,)
        return self

    def prepare(self, payload: str) -> tuple[str, ...]:
        """
        Return the arguments but for the type: a list, so that no shell ever reads the name.

        The name ends in a dot, which keeps search domains out.

        Raises:
            ValueError: The name begins with a dash. The program would take it for an option, and
                it does not know `--`.
        """
        if payload.startswith("-"):
            message = f"{payload!r} would be an option, not a name"
            raise ValueError(message)
        wait = WAIT_SECONDS[self.environment.second_pass]
        arguments = (self._program, "-W", wait, "-R", REPEATS, "-p", self._port)
        return (*arguments, f"{payload}.", *self._server)

    async def execute(self, execution: tuple[str, ...]) -> Printed:
        """Run it for A, and for AAAA where there is no A."""
        texts = {"a": await _printed(execution, "A")}
        if _EMPTY.search(texts["a"]) or not _says_anything(texts["a"]):
            texts["aaaa"] = await _printed(execution, "AAAA")
        return Printed(texts)

    def interpret(self, output: Printed) -> Outcome:
        """Read the text."""
        key, text = list(output.texts.items())[-1]
        addresses = _ADDRESS.findall(text)
        if addresses:
            answer: dict[str, Any] = {key: addresses}
            if aliases := _ALIAS.findall(text):
                answer["cname"] = aliases
            return Outcome(status="resolves", answer=answer, decided_by=self.name)
        status, error = _failure(text)
        if key == "aaaa" and status == "nxdomain":
            status, error = "nodata", None
        return Outcome(status=status, error=error, decided_by=self.name)


def _says_anything(text: str) -> bool:
    return any(p.search(text) for p in (_ADDRESS, _RCODE, _SILENCE))


def _failure(text: str) -> tuple[str, str | None]:
    if match := _RCODE.search(text):
        status = _RCODES.get(match[1], "error")
        return status, None if status == "nxdomain" else f"the name server said {match[1]}"
    if match := _UNREACHABLE.search(text):
        return "error", f"the name server cannot be reached: {match[0]}"
    if _SILENCE.search(text):
        return "timeout", "the name server did not answer in time"
    if _EMPTY.search(text) or not text.strip() or _ALIAS.search(text):
        return "nodata", None
    return "error", text.strip().splitlines()[-1][:500]


async def _printed(arguments: tuple[str, ...], record_type: str) -> str:
    run = (arguments[0], "-t", record_type, *arguments[1:])
    ended = await process.run(run, max_output_bytes=MAX_OUTPUT_BYTES)
    return ended.output.decode(errors="replace")
