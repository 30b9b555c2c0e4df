"""Opening the database, and bringing its tables to the newest form."""

from __future__ import annotations

import fcntl
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

MIGRATIONS = Path(__file__).parent / "migrations"
#: Seconds that a writer waits for another one on SQLite, which has one at a time.
BUSY_SECONDS = 60
#: kB of SQLite's page cache for each connection; what a bulk load profits from.
CACHE_KB = 64 * 1024
#: A number of ours for PostgreSQL's advisory lock.
MIGRATION_LOCK = 0x526F6C6C


@cache
def open_database(url: str) -> Engine:
    """
    Open the database and migrate it; once a process, later calls return the same engine.

    Args:
        url: An SQLAlchemy URL, ``sqlite:///path`` or ``postgresql+psycopg2://…``.

    Raises:
        DatabaseUnreachable: It cannot be opened.
        DatabaseFull: There is no room for it.
    """
    engine = _engine(url)
    with database_errors(where(engine)):
        _migrate(engine)
    return engine


def where(engine: Engine) -> str:
    """Return the database's address without its password, for messages."""
    return engine.url.render_as_string(hide_password=True)


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
                pool_size=10,
                max_overflow=30,
                # Times are written as naive text in UTC.
                connect_args={"options": "-c timezone=UTC"},
            )
    except (ArgumentError, ImportError) as error:
        message = f"ROLLCALL_DATABASE_URL is no database URL: {error}"
        raise DatabaseUnreachable(message) from error
    if parsed.database:
        _make_folder(Path(parsed.database))
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
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
    for pragma in (
        "journal_mode=WAL",
        # With WAL this loses at most the last commits on power failure, never the database.
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"cache_size=-{CACHE_KB}",
        "temp_store=FILE",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins as a reader and then writes fails at once when another one wrote
    # meanwhile; one that begins as a writer waits its turn.
    immediate = connection.get_execution_options().get("rollcall_reads_only") is not True
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with _only_one(engine), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _only_one(engine: Engine) -> Iterator[None]:
    """Keep a second process from migrating at the same time."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            yield
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
        return
    with Path(f"{engine.url.database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
