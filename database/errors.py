"""
What can go wrong with the database, by what the reader can do about it.

DatabaseError
    DatabaseUnreachable     mend the setting, or start the database
    DatabaseFull            free room
    ListMissing             name a list that exists
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

#: What SQLite and PostgreSQL say when there is no room.
_FULL = ("disk is full", "disk full", "no space left")


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
        yield
    except (exc.OperationalError, exc.InterfaceError) as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        if any(words in reason.lower() for words in _FULL):
            message = f"no room left for the database {where}: {reason}; free some and run again"
            raise DatabaseFull(message) from error
        message = f"the database {where} cannot be used: {reason}; check ROLLCALL_DATABASE_URL"
        raise DatabaseUnreachable(message) from error
