"""Each name once: in this process as long as there are few, with a second process for many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tasks.load.partitions import Partitions, Row
from tasks.load.second_process import RemotePartitions

#: Names from which on a second process pays: it starts in half a second.
MANY_NAMES: Final = 500_000


class Deduplicator:
    """Takes names with their lines; gives back each name once, with its first line."""

    def __init__(self, directory: Path | None = None, *, many_names: int = MANY_NAMES) -> None:
        """
        Args:
            directory: For temporary files; None is the system's own place.
            many_names: From so many on a second process does the work, if there is a core for it.
        """
        self._directory = directory
        self._many_names = many_names if len(os.sched_getaffinity(0)) > 1 else None
        self._count = 0
        self._local = Partitions(directory)
        self._remote: RemotePartitions | None = None

    def add(self, names: Sequence[bytes], lines: Iterable[int]) -> None:
        """Take names in the order in which they were seen; see `Partitions.add`."""
        self._count += len(names)
        if self._remote:
            self._remote.add(names, lines)
            return
        if self._many_names is None or self._count <= self._many_names:
            self._local.add(names, lines)
            return
        self._remote = RemotePartitions(self._directory)
        for earlier_names, earlier_lines in self._local.drain():
            self._remote.add(earlier_names, earlier_lines)
        self._remote.add(names, lines)

    def rows(self) -> Iterator[list[Row]]:
        """Give back the unique names in increasing order; see `Partitions.rows`."""
        return (self._remote or self._local).rows()

    def close(self) -> None:
        """Give back the room on the disk, and end the second process."""
        self._local.close()
        if self._remote:
            self._remote.close()
