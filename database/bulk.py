"""
Writing many rows at once, the same way on both databases.

SQLite takes them by the driver's `executemany`; PostgreSQL by COPY into a temporary table and one
INSERT from there, which is several times faster than sending them as parameters.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table

#: What COPY's text form takes for its own.
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    on_conflict: str = "DO NOTHING",
) -> None:
    """
    Insert rows; what the primary key has already is left, or treated as told.

    Args:
        connection: In a transaction, which the caller ends.
        table: Where to.
        columns: The names of the n columns.
        rows: m rows of n values that both drivers understand as they are (times as text in UTC).
        on_conflict: SQL: what follows ``ON CONFLICT (primary key)``.
    """
    if not rows:
        return
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key)
    names = ", ".join(f'"{name}"' for name in columns)
    conflict = f"ON CONFLICT ({keys}) {on_conflict}"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {conflict}"
        connection.exec_driver_sql(statement, list(rows))
        return
    _copy(connection, table, names, rows)
    # In the order of the key, so that two who write the same rows never wait for each other.
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM incoming_{table.name}"
        f" ORDER BY {keys} {conflict}"
    )


def _copy(
    connection: Connection, table: Table, names: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    staging = f"incoming_{table.name}"
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} (LIKE {table.name}) ON COMMIT DELETE ROWS"
    )
    connection.exec_driver_sql(f"TRUNCATE {staging}")
    lines = io.StringIO("".join("\t".join(map(_field, row)) + "\n" for row in rows))
    driver: Any = connection.connection.cursor()
    driver.copy_expert(f"COPY {staging} ({names}) FROM STDIN", lines)


def _field(value: Any) -> str:
    return r"\N" if value is None else str(value).translate(_ESCAPES)
