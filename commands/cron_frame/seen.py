"""The ids that were there before: on the disk, so that memory does not grow with them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

#: kB of the ids that are held in memory.
CACHE_KB = 8 * 1024


class Seen:
    """A set of texts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take a database that is ours alone."""
        self._connection = connection
        connection.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def new(self, ids: Sequence[str]) -> set[str]:
        """Add all, and return those that were not there before."""
        insert = "INSERT OR IGNORE INTO seen SELECT value FROM json_each(?) RETURNING id"
        return {row[0] for row in self._connection.execute(insert, (json.dumps(ids),))}


@contextmanager
def nothing_seen(path: Path) -> Iterator[Seen]:
    """Give an empty set that is held in a file, which is removed at the end."""
    path.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE_KB}"):
                connection.execute(f"PRAGMA {pragma}")
            yield Seen(connection)
    finally:
        path.unlink(missing_ok=True)
