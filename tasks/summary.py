"""What a run came to, gathered from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine

from database.comparison import KINDS, Change, change_counts, change_examples, previous_run
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
    #: Kind of change since the previous run -> domains; empty where nothing changed.
    changes: dict[str, int]
    #: Kind of change -> the first domains.
    changed: dict[str, list[Change]]

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
    #: The number of the run that this one was compared with; None where there is none.
    previous: int | None

    @property
    def changes(self) -> int:
        """How many results are other ones than in the previous run, in all checks."""
        return sum(sum(check.changes.values()) for check in self.checks)

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
        end = f". {self.changes:,} changed" if self.previous is not None else ""
        return f"{begin}{self.stored.ledger['unique']:,} domains. " + "; ".join(parts) + end


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
    changes = change_counts(engine, run.number)
    summary = RunSummary(
        stored=stored,
        checks=[
            _check(engine, run, check, counts.get(check.name, {}), changes.get(check.name, {}))
            for check in plan
        ],
        rejected=rejected_sample(engine, stored.id, EXAMPLES),
        seconds=seconds,
        file=file,
        previous=previous_run(engine, run.number),
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


def _check(
    engine: Engine,
    run: StoredRun,
    check: Check,
    counts: Mapping[str, int],
    changes: Mapping[str, int],
) -> CheckSummary:
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
        changes={kind: changes[kind] for kind in KINDS if changes.get(kind)},
        changed={
            kind: change_examples(engine, run.number, name, kind, EXAMPLES)
            for kind in KINDS
            if changes.get(kind)
        },
    )
