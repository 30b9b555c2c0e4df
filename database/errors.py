"""
What can go wrong with the database, by what the reader can do about it.

DatabaseError
    DatabaseUnreachable     mend the setting, or start the database
    DatabaseFull            free room
    ListMissing             name a list that exists
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import exc

#: What SQLite and PostgreSQL say when there is no room.
_FULL = ("disk is full", "disk full", "no space left")
#: PEP 249's classes for a statement that is wrong: a defect of ours, which stays as it is ...
_OURS = (
    *(sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InternalError),
    *(sqlite3.NotSupportedError, sqlite3.ProgrammingError),
    *(psycopg2.DataError, psycopg2.IntegrityError, psycopg2.InternalError),
    *(psycopg2.NotSupportedError, psycopg2.ProgrammingError),
)
#: ... but for PostgreSQL's codes for a missing permission and for a server that only reads.
_REFUSALS = {"42501", "25006"}


class DatabaseError(Exception):
    """The database cannot do what was asked of it."""


class DatabaseUnreachable(DatabaseError):
    """The database cannot be opened, or the connection to it was lost."""


class DatabaseFull(DatabaseError):
    """There is no room left where the database keeps its files."""


class ListMissing(DatabaseError):
    """There is no list with this id, or it was not loaded to its end."""


@contextmanager
def database_errors(where: str) -> Iterator[None]:
    """
    Turn what the drivers raise into errors that say what to do.

    Args:
        where: The database, as a person may see it: without a password.
    """
    try:
        with _interruptions():
            yield
    except exc.TimeoutError as error:
        message = f"the database {where} is too busy: {error}"
        raise DatabaseUnreachable(message) from error
    # COPY is the driver's own call, so its errors come without SQLAlchemy's wrapping.
    except (exc.DBAPIError, psycopg2.Error) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(cause, _OURS) and getattr(cause, "pgcode", None) not in _REFUSALS:
            raise
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if any(words in reason.lower() for words in _FULL):
            message = f"no room left for the database {where}: {reason}; free some and run again"
            raise DatabaseFull(message) from error
        message = f"the database {where} cannot be used: {reason}; check ROLLCALL_DATABASE_URL"
        raise DatabaseUnreachable(message) from error


@contextmanager
def _interruptions() -> Iterator[None]:
    """Let Ctrl-C be one: SQLAlchemy, interrupted in a commit, fails at an assertion of its own."""
    try:
        yield
    except Exception as error:
        if interruption := _interruption(error):
            raise interruption from None
        raise


def _interruption(error: BaseException) -> KeyboardInterrupt | None:
    """Return what came before an error, if that was an interruption."""
    before = error.__context__
    while before is not None and not isinstance(before, KeyboardInterrupt):
        before = before.__context__
    return before
