"""Reading rows out of the shop's database, a few at a time, and never writing there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import Connection, Select, create_engine, event, exc, literal_column, select
from sqlalchemy import table as table_named
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from commands.cron_frame.configuration import Rows
from commands.cron_frame.errors import SourceAway, SourceRefused
from commands.cron_frame.thread import Stop

#: Rows that are held at once.
CHUNK = 1_000
#: As for our own database: a server that vanishes is noticed within a minute.
POSTGRESQL = {
    "options": "-c timezone=UTC",
    "application_name": "rollcall cron_frame",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
#: Seconds to wait for somebody who writes.
BUSY_SECONDS = 60
#: PostgreSQL's classes of errors that may be gone later: connection, resources, the operator's
#: intervention, the system, a conflict with recovery on a standby.
_PASSING = ("08", "53", "57", "58", "40")
#: SQLite's own: busy, locked, input and output, memory.
_PASSING_SQLITE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, 7}


class Source:
    """An open database."""

    def __init__(self, connection: Connection, shown: str) -> None:
        """Take a connection whose transaction only reads."""
        self._connection = connection
        self._shown = shown

    def rows(self, what: Rows) -> tuple[Sequence[str], Iterator[Sequence[Sequence[Any]]]]:
        """
        Return the names of the columns, and the rows in chunks.

        Raises:
            SourceRefused: There is no such table, or the query is wrong.
            SourceAway: The connection is lost.
        """
        with _errors(self._shown):
            streaming = self._connection.execution_options(
                stream_results=True, max_row_buffer=CHUNK, no_parameters=True
            )
            if what.query is not None:
                result = streaming.exec_driver_sql(what.query)
            else:
                result = streaming.execute(_all_of(str(what.table)))
            if not result.returns_rows:
                raise SourceRefused(f"the query to {self._shown} returns no rows: write a SELECT")
            columns = tuple(result.keys())
        return columns, self._chunks(result.yield_per(CHUNK).partitions())

    def _chunks(self, partitions: Iterator[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
        with _errors(self._shown):
            yield from partitions


@contextmanager
def opened(url: str, stop: Stop) -> Iterator[Source]:
    """
    Open a database for reading: all of it as it was at one moment.

    Args:
        url: Of the database.
        stop: Ends a query from another thread.

    Raises:
        SourceAway: It cannot be reached.
        SourceRefused: It cannot be read.
    """
    parsed = make_url(url)
    # A password may also stand in the query.
    shown = parsed.set(query={}).render_as_string(hide_password=True)
    engine = create_engine(parsed, poolclass=NullPool, connect_args=_arguments(parsed))
    if parsed.get_backend_name() == "sqlite":
        _must_exist(Path(str(parsed.database)))
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    with _errors(shown):
        connection = engine.connect()
    try:
        driver: Any = connection.connection.driver_connection
        with stop.by(driver.interrupt if hasattr(driver, "interrupt") else driver.cancel):
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield Source(connection, shown)
    finally:
        _close(connection)


def _close(connection: Connection) -> None:
    try:
        connection.close()
    except exc.DBAPIError:
        # It was lost, and that has been told.
        connection.invalidate()


def _arguments(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "postgresql":
        return dict(POSTGRESQL)
    return {"timeout": BUSY_SECONDS, "check_same_thread": False}


def _must_exist(path: Path) -> None:
    """SQLite itself would make an empty database."""
    if not path.is_file():
        raise SourceRefused(f"there is no database {path}")


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own idea of transactions leaves out SELECT; we begin them ourselves.
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")
    # Of text that is no UTF-8 the rest is still of use.
    connection.text_factory = lambda text: text.decode("utf-8", "replace")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _all_of(name: str) -> Select[Any]:
    schema, _, table = name.rpartition(".")
    return select(literal_column("*")).select_from(table_named(table, schema=schema or None))


@contextmanager
def _errors(shown: str) -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        cause = error.orig
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if _passes(cause):
            raise SourceAway(f"the database {shown} is away: {reason}") from error
        raise SourceRefused(f"the database {shown} refuses: {reason}") from error
    except exc.SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise SourceRefused(f"the database {shown} cannot be read: {reason}") from error


def _passes(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING_SQLITE
    if isinstance(error, psycopg2.Error) and error.pgcode is not None:
        return error.pgcode.startswith(_PASSING)
    # Without a code the server has not said a word: there was no connection, or it broke.
    return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
