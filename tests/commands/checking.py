"""Running a command over names as a batch does: in the process's own event loop."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from commands import execution
from commands.command import Outcome
from commands.environment import Environment
from commands.execution import Finished
from commands.loop import submit
from commands.registry import make

__all__ = ["Checked", "check", "run_batch"]

#: Far longer than any batch of the tests takes.
SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a batch came to."""

    outcomes: Mapping[str, Outcome]
    #: The command's own accounts.
    counters: Mapping[str, int]

    @property
    def statuses(self) -> dict[str, str]:
        """Name to status."""
        return {name: outcome.status for name, outcome in self.outcomes.items()}

    def unsure(self) -> list[str]:
        """List the names that are due for a second pass."""
        sure = {"resolves", "nodata", "nxdomain"}
        return [name for name, status in self.statuses.items() if status not in sure]

    def asked(self) -> dict[str, int]:
        """Server to how many questions it was asked, whatever came of them."""
        questions: dict[str, int] = {}
        for key, count in self.counters.items():
            server = key.partition(" ")[0]
            questions[server] = questions.get(server, 0) + count
        return questions


def check(
    names: Iterable[str],
    environment: Environment,
    *,
    command: str = "host",
    options: Mapping[str, Any] | None = None,
) -> Checked:
    """Run one batch to its end, from a thread that is not the loop's."""
    batch = run_batch(names, environment, command=command, options=options)
    return submit(batch).result(SECONDS)


async def run_batch(
    names: Iterable[str],
    environment: Environment,
    *,
    command: str = "host",
    options: Mapping[str, Any] | None = None,
) -> Checked:
    """Run one batch in the running loop."""
    outcomes: dict[str, Outcome] = {}

    def finished(one: Finished) -> None:
        assert one.payload not in outcomes
        outcomes[one.payload] = one.outcome

    made = make(command, options or {}, environment)
    async with made:
        await execution.run(made, names, finished)
    return Checked(outcomes=outcomes, counters=dict(made.counters()))
