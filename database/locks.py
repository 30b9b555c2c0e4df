"""
Locks that go with whoever has them: nothing has to be cleaned up when a process is killed.

On PostgreSQL a session's advisory lock, on a connection that is for nothing else meanwhile; the
server gives it up when the connection ends. On SQLite, whose users are on one machine, a lock of
the kernel on a file beside the database.

Source:
    https://www.postgresql.org/docs/16/explicit-locking.html#ADVISORY-LOCKS
    flock(2)
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import psycopg2
from sqlalchemy import Connection, Engine, create_engine, event, exc, text

from database.engine import POSTGRESQL, open_database, where
from database.errors import database_errors

#: PostgreSQL cuts longer names of applications.
MOST_NAME_BYTES = 63
#: The server, too, finds out within a minute that the other machine has vanished: its own default
#: is two hours, for which nobody else would get the lock.
SERVER_SIDE = " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
#: Connections that are kept for the next locks; to connect takes longer than all else of a lock.
KEPT = 10
#: The application's name tells who has a lock, and since when. It is of use to people, too.
IDLE = "rollcall locks"
_TAKE = "SELECT pg_try_advisory_lock(:key), set_config('application_name', :name, false)"
_RELEASE = f"SELECT pg_advisory_unlock_all(), set_config('application_name', '{IDLE}', false)"
_OWNER = re.compile(r"rollcall @(?P<since>[0-9a-f]+) (?P<by>.*)", re.DOTALL)
_HOLDER = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND CAST(classid AS bigint) = (CAST(:key AS bigint) >> 32) & 4294967295
  AND CAST(objid AS bigint) = CAST(:key AS bigint) & 4294967295
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who has a lock; None for what is not known."""

    by: str | None = None
    since: datetime | None = None


class LockIsTaken(Exception):
    """Somebody else has the lock."""

    def __init__(self, owner: Owner) -> None:
        """Say who."""
        super().__init__("the lock is taken")
        self.owner = owner


class Held(Protocol):
    """A lock that is ours. Not for several threads at once."""

    def is_held(self) -> bool:
        """Say whether it is still ours; if not, it never is again."""

    def release(self) -> None:
        """Give it up; nothing if it is lost."""


def take_lock(url: str, key: str) -> Held:
    """
    Take a lock, without waiting for it.

    Args:
        url: The database's.
        key: Whatever text.

    Raises:
        LockIsTaken: Somebody has it.
        DatabaseUnreachable: The database is away.
    """
    engine = open_database(url)
    if engine.dialect.name == "sqlite":
        return _take_file(Path(str(engine.url.database)), key)
    return _take_advisory(url, key, where(engine))


def _me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _take_file(database: Path, key: str) -> Held:
    # Names of files are short, and not every text is one.
    name = f"{re.sub('[^A-Za-z0-9]+', '-', key)[:40]}-{_number(key) & 0xFFFFFFFF:08x}"
    path = database.with_name(f"{database.name}.{name}.lock")
    while (held := _try_file(path)) is None:
        # Whoever had it has just removed it.
        pass
    held.say_who()
    return held


def _try_file(path: Path) -> _File | None:
    """Lock a file; None if it was removed between its opening and its locking."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still(file, path):
            return _File(file, path)
    except BlockingIOError as error:
        owner = _written(os.pread(file, 4096, 0))
        os.close(file)
        raise LockIsTaken(owner) from error
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None


def _is_still(file: int, path: Path) -> bool:
    """Say whether a path leads to an open file."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _written(text: bytes) -> Owner:
    try:
        by, since = json.loads(text)
        return Owner(by=by, since=datetime.fromisoformat(since))
    except (ValueError, TypeError):
        # It has the lock, and has not yet written who it is.
        return Owner()


class _File:
    """A locked file, which goes with its lock: there is one for each job."""

    def __init__(self, file: int, path: Path) -> None:
        self._file: int | None = file
        self._path = path

    def say_who(self) -> None:
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps([_me(), datetime.now(UTC).isoformat()]).encode(), 0)

    def is_held(self) -> bool:
        return self._file is not None

    def release(self) -> None:
        if self._file is not None:
            # As long as it is locked: nobody else's can be removed so.
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def _take_advisory(url: str, key: str, named: str) -> Held:
    engine = _connections(url, os.getpid())
    number = {"key": _number(key)}
    name = re.sub("[^ -~]+", "?", f"rollcall @{int(time.time()):x} {_me()} {key}")
    with database_errors(named):
        connection = engine.connect()
        try:
            take = {**number, "name": name[:MOST_NAME_BYTES]}
            if connection.execute(text(_TAKE), take).one()[0]:
                return _Advisory(connection)
            owner = connection.scalar(text(_HOLDER), number)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        connection.close()
    raise LockIsTaken(_owner(owner or ""))


@cache
def _connections(url: str, _process: int) -> Engine:
    """Return what connects for locks; a forked child has its own connections."""
    options = {**POSTGRESQL, "options": f"{POSTGRESQL['options']}{SERVER_SIDE}"}
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        pool_reset_on_return=None,
        pool_size=KEPT,
        # Whoever wants a lock never waits for a connection.
        max_overflow=-1,
        connect_args={**options, "application_name": IDLE},
    )
    event.listen(engine, "reset", _free)
    return engine


def _free(driver: Any, _record: Any, _state: Any) -> None:
    """
    Give up the lock of a connection that comes back to the others.

    Here and not in `release`: a lock that nobody could release, because its thread was cancelled
    just when it got it, comes here as well.
    """
    try:
        with driver.cursor() as cursor:
            cursor.execute(_RELEASE)
    except psycopg2.Error:
        # It ends, and the lock with it; the next one who is given it connects anew.
        driver.close()


def _owner(application: str) -> Owner:
    if found := _OWNER.fullmatch(application):
        return Owner(by=found["by"], since=datetime.fromtimestamp(int(found["since"], 16), UTC))
    # It was given back a moment ago.
    return Owner()


class _Advisory:
    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        # The driver's own: SQLAlchemy would connect again, and the lock would not be ours.
        self._driver: Any = connection.connection.driver_connection

    def is_held(self) -> bool:
        if self._connection is None:
            return False
        try:
            with self._driver.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            self.release()
            return False
        return True

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except exc.SQLAlchemyError:
            # The connection is gone, and the lock with it.
            connection.invalidate()


def _number(key: str) -> int:
    """Return what stands for a key on PostgreSQL: 64 bits with a sign."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)
