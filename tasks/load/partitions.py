"""
Exact deduplication in bounded memory: hash partitioning, as in a Grace hash join.

Names go into 256 partitions by the highest bits of their slot. When too many are in memory, all
partitions are appended to one temporary file, without a name in the file system. At the end each
partition fits into memory and is deduplicated there; one that does not is partitioned again by
the next bits, and finally by BLAKE2b, for nobody can choose names that collide there.

Source:
    Kitsuregawa et al., Application of Hash to Data Base Machine and Its Architecture, 1983
"""

from __future__ import annotations

import tempfile
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final
from zlib import crc32

from tasks.load.temporary import room_needed

PARTITIONS: Final = 256  #: As many as a byte of the hash has values.
MAX_BUFFERED: Final = 500_000  #: Names in memory before they are written, about 70 MB.
MAX_UNIQUE: Final = 500_000  #: Unique names of a partition in memory, about 150 MB with its rows.
SLOT_BYTES: Final = 4

Row = tuple[int, str, int]
Names = tuple[list[bytes], Sequence[int]]


class Partitions:
    """Names with the lines where they were seen; gives back each name once, by slot."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        max_buffered: int = MAX_BUFFERED,
        max_unique: int = MAX_UNIQUE,
        depth: int = 0,
    ) -> None:
        """
        Args:
            directory: For the temporary file; None is the system's own place.
            max_buffered: Names in memory before they are written.
            max_unique: Unique names of a partition that may be in memory.
            depth: Which byte of the hash partitions: those of the slot first, then BLAKE2b's.
        """
        self._directory = directory
        self._max_buffered = max_buffered
        self._max_unique = max_unique
        self._depth = depth
        self._buffered = 0
        self._names: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        self._lines: list[list[int]] = [[] for _ in range(PARTITIONS)]
        self._spill: _Spill | None = None

    def add(self, names: Sequence[bytes], lines: Iterable[int]) -> None:
        """
        Take names in the order in which they were seen.

        Args:
            names (n,): Legal names in lower case.
            lines (n,): Their lines, never decreasing over all calls.
        """
        if self._depth == 0:
            self._add_by_slot(names, lines)
        else:
            byte = _byte_of_hash(self._depth)
            for name, line in zip(names, lines, strict=True):
                self._names[byte(name)].append(name)
                self._lines[byte(name)].append(line)
        self._buffered += len(names)
        if self._buffered > self._max_buffered:
            self._write()

    def rows(self) -> Iterator[list[Row]]:
        """
        Give back the unique names, each with its first line, a partition at a time.

        Returns:
            Lists of (slot, name, line) in increasing order of (slot, name), over all lists too;
            only among more than `max_unique` names of one slot the order is another.
        """
        if self._spill:
            self._write()
        for partition in range(PARTITIONS):
            yield from self._rows_of(self._read(partition))
            self._names[partition], self._lines[partition] = [], []

    def drain(self) -> Iterator[Names]:
        """Give back everything, duplicates too; the order holds among names that are equal."""
        if self._spill:
            self._write()
        for partition in range(PARTITIONS):
            yield from self._read(partition)
            self._names[partition], self._lines[partition] = [], []

    def close(self) -> None:
        """Give the room on the disk back."""
        if self._spill:
            self._spill.close()

    def _add_by_slot(self, names: Sequence[bytes], lines: Iterable[int]) -> None:
        # The hot loop of a load: bound methods, and only one hash a name.
        add_name = [names_of.append for names_of in self._names]
        add_line = [lines_of.append for lines_of in self._lines]
        for name, line in zip(names, lines, strict=True):
            partition = crc32(name) >> 24
            add_name[partition](name)
            add_line[partition](line)

    def _write(self) -> None:
        if self._spill is None:
            self._spill = _Spill(self._directory)
        self._spill.write(self._names, self._lines)
        self._names = [[] for _ in range(PARTITIONS)]
        self._lines = [[] for _ in range(PARTITIONS)]
        self._buffered = 0

    def _read(self, partition: int) -> Iterator[Names]:
        if self._spill:
            yield from self._spill.read(partition)
        elif self._names[partition]:
            yield self._names[partition], self._lines[partition]

    def _rows_of(self, parts: Iterator[Names]) -> Iterator[list[Row]]:
        first_seen: dict[bytes, int] = {}
        for names, lines in parts:
            deque(map(first_seen.setdefault, names, lines), maxlen=0)
            if len(first_seen) > self._max_unique:
                yield from self._repartitioned(first_seen, parts)
                return
        if first_seen:
            slots, texts = map(crc32, first_seen), map(bytes.decode, first_seen)
            yield sorted(zip(slots, texts, first_seen.values(), strict=True))

    def _repartitioned(self, seen: dict[bytes, int], rest: Iterator[Names]) -> Iterator[list[Row]]:
        finer = Partitions(
            self._directory,
            max_buffered=self._max_buffered,
            max_unique=self._max_unique,
            depth=self._depth + 1,
        )
        with closing(finer):
            finer.add(list(seen), list(seen.values()))
            seen.clear()
            for names, lines in rest:
                finer.add(names, lines)
            yield from finer.rows()


class _Spill:
    """One temporary file with the parts of all partitions."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        with room_needed(directory):
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115
        # Offset, bytes of names, count of names for each part: a few bytes for thousands of names.
        self._parts = [array("Q") for _ in range(PARTITIONS)]

    def write(self, names: Sequence[list[bytes]], lines: Sequence[list[int]]) -> None:
        """Append a part to each partition."""
        with room_needed(self._directory):
            offset = self._file.seek(0, 2)
            for part, part_names, part_lines in zip(self._parts, names, lines, strict=True):
                if part_names:
                    text = b"\n".join(part_names)
                    numbers = array("Q", part_lines).tobytes()
                    self._file.write(text)
                    self._file.write(numbers)
                    part.extend((offset, len(text), len(numbers)))
                    offset += len(text) + len(numbers)
            self._file.flush()

    def read(self, partition: int) -> Iterator[Names]:
        """Read the parts of a partition in the order in which they were written."""
        extents = iter(self._parts[partition])
        for offset, text_bytes, number_bytes in zip(extents, extents, extents, strict=True):
            self._file.seek(offset)
            names = self._file.read(text_bytes).split(b"\n")
            yield names, array("Q", self._file.read(number_bytes))

    def close(self) -> None:
        """Give the room back."""
        self._file.close()


def _byte_of_hash(depth: int) -> Callable[[bytes], int]:
    if depth < SLOT_BYTES:
        shift = 8 * (SLOT_BYTES - 1 - depth)
        return lambda name: (crc32(name) >> shift) & 0xFF
    index = depth - SLOT_BYTES
    return lambda name: blake2b(name).digest()[index]
