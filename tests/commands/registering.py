"""Asking `rdap` about names, with turns that are written down."""

from collections.abc import Iterable, Mapping
from typing import Any

from commands import execution
from commands.environment import Environment
from commands.execution import Finished
from commands.loop import submit
from commands.registry import make
from commands.turns import LocalTurns
from demo.nameserver import NameServer

__all__ = ["RecordedTurns", "ask", "surroundings"]

SECONDS = 60.0


class RecordedTurns(LocalTurns):
    """Turns that come at once, and are remembered."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        #: Who was to be asked, and how fast.
        self.waited: list[tuple[str, float]] = []
        #: Who was to be left alone, and for how many seconds.
        self.held_off: list[tuple[str, float]] = []

    async def wait(self, key: str, per_second: float) -> None:
        """Remember it."""
        self.waited.append((key, per_second))

    async def hold_off(self, key: str, seconds: float) -> None:
        """Remember it."""
        self.held_off.append((key, seconds))


def surroundings(nameserver: NameServer, **different: Any) -> Environment:
    """Make an environment in which loopback may be asked."""
    values: dict[str, Any] = {
        "nameservers": (nameserver.address,),
        "allow_private_addresses": True,
        "turns": RecordedTurns(),
    }
    return Environment(**(values | different))


def ask(
    names: Iterable[str],
    environment: Environment,
    options: Mapping[str, Any],
    **handling: Any,
) -> dict[str, Finished]:
    """Run one batch; new tries come at once."""
    found: dict[str, Finished] = {}

    async def run() -> None:
        command = make("rdap", options, environment)
        command.handle({"backoff_seconds": 0, **handling})
        async with command:
            await execution.run(command, names, lambda one: found.update({one.payload: one}))

    submit(run()).result(SECONDS)
    return found
