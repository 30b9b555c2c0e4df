"""What a run came to, gathered from the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from database.lists import StoredList, rejected_sample
from database.results import counter_values, examples, slowest, status_counts
from database.runs import StoredRun
from tasks.plan import SKIPPED, Check, Plan

#: How many of each kind of example a report shows.
EXAMPLES = 5
SLOWEST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """One check of a run."""

    name: str
    #: Status -> domains, in the command's order.
    statuses: dict[str, int]
    #: How many domains were looked at without a definite answer.
    unknown: int
    #: Counter -> value.
    counters: dict[str, int]
    #: Rows of name, status, milliseconds.
    slowest: list[tuple[str, str, float]]
    #: Status other than good -> rows of name, error.
    examples: dict[str, list[tuple[str, str | None]]]

    @property
    def looked_at(self) -> int:
        """How many domains were not skipped."""
        return sum(n for status, n in self.statuses.items() if status != SKIPPED)

    @property
    def answered(self) -> int:
        """How many domains have a definite answer."""
        return self.looked_at - self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run that is done."""

    stored: StoredList
    checks: list[CheckSummary]
    #: Rows of line, text, reason.
    rejected: list[tuple[int, str, str]]
    #: From the flow's start, in seconds.
    seconds: float
    #: The result file.
    file: str

    @property
    def unknown(self) -> int:
        """How many results are no definite answer, in all checks."""
        return sum(check.unknown for check in self.checks)

    @property
    def headline(self) -> str:
        """The run in a sentence or two."""
        parts = [
            f"{check.name}: " + ", ".join(f"{n:,} {s}" for s, n in check.statuses.items() if n)
            for check in self.checks
        ]
        begin = f"Completed with {self.unknown:,} unknown. " if self.unknown else ""
        return f"{begin}{self.stored.ledger['unique']:,} domains. " + "; ".join(parts)


def summarize(
    engine: Engine,
    run: StoredRun,
    stored: StoredList,
    plan: Plan,
    *,
    seconds: float,
    file: str,
) -> RunSummary:
    """
    Gather a run's summary, and hold it against the ledger.

    Raises:
        LedgerBroken: A domain has no result in a check, or more than one.
    """
    counts = status_counts(engine, run.number)
    summary = RunSummary(
        stored=stored,
        checks=[_check(engine, run, check, counts.get(check.name, {})) for check in plan],
        rejected=rejected_sample(engine, stored.id, EXAMPLES),
        seconds=seconds,
        file=file,
    )
    for check in summary.checks:
        _balance(check, stored.ledger["unique"])
    return summary


class LedgerBroken(Exception):
    """The statuses of a check do not add up to the unique domains: a defect of Rollcall."""


def _balance(check: CheckSummary, unique: int) -> None:
    total = sum(check.statuses.values())
    if total != unique:
        message = f"{check.name} has {total} results for {unique} domains; please report this"
        raise LedgerBroken(message)


def _check(engine: Engine, run: StoredRun, check: Check, counts: dict[str, int]) -> CheckSummary:
    name, command = check.name, check.command
    statuses = {status: counts.get(status, 0) for status in check.statuses}
    return CheckSummary(
        name=name,
        statuses=statuses,
        unknown=sum(n for status, n in statuses.items() if status in command.unsure),
        counters=counter_values(engine, run.number, name),
        slowest=slowest(engine, run.number, name, SLOWEST),
        examples={
            status: examples(engine, run.number, name, status, EXAMPLES)
            for status, count in statuses.items()
            if count and status not in command.good and status != SKIPPED
        },
    )
