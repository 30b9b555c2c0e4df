"""Domains that a check does not look at, since a check that it needs did not pass them on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import DateTime, Engine, Select, Text, literal, select, true, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from database.batches import Range, Stage
from database.engine import transaction
from database.tables import now, results

#: The columns that a skipped domain's row has; the others stay empty.
_COLUMNS = (
    "run",
    "check",
    "slot",
    "name",
    "status",
    "error",
    "attempts",
    "decided_by",
    "latency_ms",
    "checked_at",
    "final",
)


def skip(engine: Engine, stage: Stage, status: str, within: Range | None = None) -> int:
    """
    Give a result to each domain that a needed check has done with, and does not pass on.

    Again does nothing: a domain that has a result keeps it.

    Args:
        engine: The database.
        stage: Of the check that is not to look at them; its `needs` say what is passed on.
        status: What they get.
        within: Only of these domains; None for all.

    Returns:
        How many.
    """
    dialect = {"postgresql": postgresql, "sqlite": sqlite}[engine.dialect.name]
    with transaction(engine) as connection:
        return sum(
            connection.execute(
                dialect.insert(results)
                .from_select(_COLUMNS, _stopped(stage, status, *need, within))
                .on_conflict_do_nothing()
            ).rowcount
            for need in stage.needs
        )


def _stopped(
    stage: Stage, status: str, need: str, passing: Sequence[str], within: Range | None
) -> Select[Any]:
    statement = select(
        results.c.run,
        literal(stage.check),
        results.c.slot,
        results.c.name,
        literal(status),
        literal(f"{need}: ", Text) + results.c.status,
        literal(0),
        literal(need),
        literal(0.0),
        literal(now(), DateTime(timezone=True)),
        true(),
    ).where(
        results.c.run == stage.run,
        results.c.check == need,
        results.c.final,
        results.c.status.not_in(passing),
    )
    if within is None:
        return statement
    key = tuple_(results.c.slot, results.c.name)
    return statement.where(
        key >= tuple_(*map(literal, within.first)), key <= tuple_(*map(literal, within.last))
    )
