"""Lists: what an uploaded file holds, and what of it was rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, insert, select, true, update

from database.bulk import insert_rows
from database.engine import reading, transaction
from database.errors import ListMissing
from database.tables import domains, lists, now, rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredList:
    """A loaded list."""

    id: int
    name: str
    description: str
    truncated: str | None
    ledger: dict[str, int]
    reasons: dict[str, int]


#: A list that is still not loaded after so long has lost its process, and nobody came back for it.
FORGOTTEN = timedelta(days=1)


class ListWriter:
    """
    Writes a list's rows, in transactions of the loader's batches.

    A list that is not finished is invisible to everyone but its run, which deletes it when it
    begins anew; so a load that dies leaves nothing behind that could be taken for a list.
    """

    def __init__(self, engine: Engine, name: str, fingerprint: str) -> None:
        """Make an empty list."""
        self._engine = engine
        forgotten = now() - FORGOTTEN
        with transaction(engine) as connection:
            connection.execute(
                delete(lists).where(lists.c.loaded_at.is_(None), lists.c.created_at < forgotten)
            )
            row = connection.execute(
                insert(lists).values(name=name, fingerprint=fingerprint).returning(lists.c.id)
            )
            self.id: int = row.scalar_one()

    def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
        """Write unique names: rows (n, 3) of slot, name, line of first appearance."""
        columns = ("list_id", "slot", "name", "line")
        with transaction(self._engine) as connection:
            insert_rows(connection, domains, columns, [(self.id, *row) for row in rows])

    def add_rejected(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """Write rejected names: rows (n, 4) of line, ordinal in the line, text, reason."""
        columns = ("list_id", "line", "ordinal", "text", "reason")
        with transaction(self._engine) as connection:
            insert_rows(connection, rejected, columns, [(self.id, *row) for row in rows])

    def finish(self, **about: Any) -> None:
        """Declare it whole; `about` are the other columns of the table."""
        with transaction(self._engine) as connection:
            connection.execute(
                update(lists).where(lists.c.id == self.id).values(loaded_at=now(), **about)
            )


def discard_list(engine: Engine, list_id: int) -> None:
    """Delete a list that was not loaded to its end."""
    with transaction(engine) as connection:
        connection.execute(delete(lists).where(lists.c.id == list_id, lists.c.loaded_at.is_(None)))


def read_list(engine: Engine, list_id: int) -> StoredList:
    """
    Return a loaded list.

    Raises:
        ListMissing: There is none, or it is still being loaded.
    """
    found = _first(engine, lists.c.id == list_id)
    if found is None:
        message = f"there is no loaded list {list_id}; upload its file again"
        raise ListMissing(message)
    return found


def find_list(engine: Engine, fingerprint: str) -> StoredList | None:
    """Return the newest loaded list of the same content, if there is one."""
    return _first(engine, lists.c.fingerprint == fingerprint)


def latest_list(engine: Engine) -> StoredList:
    """
    Return the newest loaded list.

    Raises:
        ListMissing: There is none yet.
    """
    found = _first(engine, true())
    if found is None:
        message = "there is no list yet, so no latest one; upload a file first"
        raise ListMissing(message)
    return found


def _first(engine: Engine, condition: ColumnElement[bool]) -> StoredList | None:
    statement = (
        select(lists)
        .where(condition, lists.c.loaded_at.is_not(None))
        .order_by(lists.c.id.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return StoredList(
        id=row.id,
        name=row.name,
        description=row.description,
        truncated=row.truncated,
        ledger=row.ledger,
        reasons=row.reasons,
    )


def rejected_sample(engine: Engine, list_id: int, limit: int) -> list[tuple[int, str, str]]:
    """Return the first rejected names: rows (<= limit, 3) of line, text, reason."""
    statement = (
        select(rejected.c.line, rejected.c.text, rejected.c.reason)
        .where(rejected.c.list_id == list_id)
        .order_by(rejected.c.line, rejected.c.ordinal)
        .limit(limit)
    )
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(statement)]
