"""A batch: some of a list's domains for one check. It is one task run, and later one message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from commands.command import Command
from database.batches import Range, Stage
from tasks.plan import Check

#: Up to this many domains each has a task run of its own, named after it.
ONE_EACH = 250
#: Above that a check has at most so many, since each has a fixed cost in Prefect and its server.
#: 100,000 domains in 250 took a third longer than in 100, by one comparison on a noisy machine ...
MOST_BATCHES = 100
#: ... until batches have grown to this many domains.
LARGEST_BATCH = Command.largest_batch
#: Domains in batches waiting or running; bounds what a dying process leaves ...
WINDOW_DOMAINS = 5_000
#: ... and batches: the `in_flight` of the least of them together is what a name server is asked.
MOST_UNDER_WAY, LEAST_UNDER_WAY = 32, 12


class Batch(BaseModel):
    """What a worker is told; everything else it finds in the database and its own settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: For people.
    title: str
    #: The run's number and its list's id.
    run: int
    list_id: int
    #: The check's name, and the command that does it.
    check: str
    command: str
    #: Options of the command, and parts of its handling, as the user wrote them.
    options: Mapping[str, Any] = {}
    handling: Mapping[str, Any] = {}
    #: Needed check -> its statuses on which a domain goes on.
    needs: Mapping[str, tuple[str, ...]] = {}
    #: The range of domains, both ends included: slot and name.
    first: tuple[int, str]
    last: tuple[int, str]
    #: How many of them were pending when it was made.
    count: int
    #: Whether it is the late second look at unsure names.
    second_pass: bool = False

    @property
    def stage(self) -> Stage:
        """The pass that it is of."""
        return Stage(
            run=self.run,
            list_id=self.list_id,
            check=self.check,
            second_pass=self.second_pass,
            needs=tuple(self.needs.items()),
        )

    @property
    def range(self) -> Range:
        """Its domains."""
        return Range(first=self.first, last=self.last, count=self.count)


def batch_size(domains: int, largest: int = LARGEST_BATCH) -> int:
    """Return how many domains go into a batch when there are so many in all."""
    if domains <= ONE_EACH:
        return 1
    return min(largest, -(-domains // MOST_BATCHES))


def window(size: int) -> int:
    """Return how many batches of a size are under way at once."""
    return max(LEAST_UNDER_WAY, min(MOST_UNDER_WAY, WINDOW_DOMAINS // size))


def make_batch(check: Check, stage: Stage, found: Range) -> dict[str, Any]:
    """Return the batch of a range of a stage's domains, as JSON."""
    return Batch(
        title=_title(stage, found),
        run=stage.run,
        list_id=stage.list_id,
        check=stage.check,
        command=check.node.command_name,
        options=check.node.options,
        handling=check.node.handling,
        needs=check.needs,
        first=found.first,
        last=found.last,
        count=found.count,
        second_pass=stage.second_pass,
    ).model_dump(mode="json")


def _title(stage: Stage, found: Range) -> str:
    again = " again" if stage.second_pass else ""
    if found.count == 1:
        return f"{stage.check} {found.first[1]}{again}"
    return f"{stage.check} {found.count:,} domains from {found.first[1]}…{again}"
