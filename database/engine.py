"""Opening the database, and bringing its tables to the newest form."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from database.errors import DatabaseUnreachable, database_errors

EXAMPLE_URLS = "sqlite:///path or postgresql+psycopg2://user:password@host/database"
MIGRATIONS = Path(__file__).parent / "migrations"
#: Seconds that a writer waits for another one on SQLite, which has one at a time.
BUSY_SECONDS = 60
#: kB of SQLite's page cache for each connection. Rows come in the order of the key: it is enough.
CACHE_KB = 16 * 1024
#: A number of ours for PostgreSQL's advisory lock.
MIGRATION_LOCK = 0x526F6C6C
#: Connections for as many threads as have batches under way, and some more.
POOL: dict[str, int] = {"pool_size": 10, "max_overflow": 30}


#: A server that vanishes without a word is noticed within a minute, not after the kernel's hours.
#: Seconds, but for `tcp_user_timeout`, which is in milliseconds. Times are written as naive text in
#: UTC.
POSTGRESQL = {
    "options": "-c timezone=UTC",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_lock = threading.Lock()


def open_database(url: str) -> Engine:
    """
    Open the database and migrate it; once a process, later calls return the same engine.

    Args:
        url: An SQLAlchemy URL, ``sqlite:///path`` or ``postgresql+psycopg2://…``.

    Raises:
        DatabaseUnreachable: It cannot be opened.
        DatabaseFull: There is no room for it.
    """
    # Two threads would migrate at once, which Alembic's globals do not allow.
    with _lock:
        return _opened(url, os.getpid())


@cache
def _opened(url: str, _process: int) -> Engine:
    """Open it; a forked child has its own connections, and leaves its parent's alone."""
    engine = _engine(url)
    try:
        with database_errors(where(engine)):
            _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def where(engine: Engine) -> str:
    """Return the database's address without its password, for messages."""
    # A password may also stand in the query.
    return engine.url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """
    Give a connection whose work is kept if the block ends well, and undone if it does not.

    Raises:
        DatabaseUnreachable: The database is away.
        DatabaseFull: There is no room.
    """
    with database_errors(where(engine)), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """
    Give a connection for questions only, which waits for no writer.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    reader = engine.execution_options(rollcall_reads_only=True)
    with database_errors(where(engine)), reader.begin() as connection:
        yield connection


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(
                parsed,
                pool_pre_ping=True,
                connect_args=POSTGRESQL,
                **POOL,
            )
    except (ArgumentError, ImportError, ValueError) as error:
        # Not the error's own words, which may quote a part of the password.
        message = f"ROLLCALL_DATABASE_URL is no database URL: write {EXAMPLE_URLS}"
        raise DatabaseUnreachable(message) from error
    if parsed.database in {None, "", ":memory:"}:
        message = "ROLLCALL_DATABASE_URL names no file: write sqlite:///path"
        raise DatabaseUnreachable(message)
    _make_folder(Path(str(parsed.database)))
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, **POOL)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_folder(database: Path) -> None:
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the database's folder {database.parent} cannot be made: {error.strerror}"
        raise DatabaseUnreachable(message) from error


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own idea of transactions leaves out SELECT and DDL; we begin them ourselves.
    connection.isolation_level = None
    _use_wal(connection)
    for pragma in (
        # With WAL this loses at most the last commits on power failure, never the database.
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"cache_size=-{CACHE_KB}",
        "temp_store=FILE",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once; SQLite itself does not wait where two switch it on."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader and then writes fails at once when another one wrote
    # meanwhile; one that begins as a writer waits its turn.
    immediate = connection.get_execution_options().get("rollcall_reads_only") is not True
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with reading(engine) as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    # Nobody else migrates meanwhile: on SQLite a writer is alone, on PostgreSQL it takes a lock.
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
