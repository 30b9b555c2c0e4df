"""What was rejected, kept until the whole file has been read: in memory, or on the disk."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tasks.load.temporary import room_needed

MAX_RAW: Final = 200  #: Characters of a rejected text that are kept.
MEMORY_BYTES: Final = 16 * 1024 * 1024  #: Kept in memory before the disk is used.
BATCH: Final = 10_000  #: Rows for the sink at once.

Row = tuple[int, int, str, str]


class RejectedRows:
    """A queue of (line, ordinal, raw text, reason), with a file behind it."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._pending: list[Row] = []
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115
            MEMORY_BYTES, dir=str(directory) if directory else None
        )

    def add(self, line: int, ordinal: int, raw: bytes, reason: str) -> None:
        """Take a row; the text is made fit for every database."""
        self._pending.append((line, ordinal, printable(raw), reason))
        if len(self._pending) >= BATCH:
            self._write()

    def batches(self) -> Iterator[list[Row]]:
        """Give back all rows in the order in which they came."""
        self._write()
        with room_needed(self._directory):
            self._file.seek(0)
        for batch in self._file:
            yield [(line, ordinal, raw, reason) for line, ordinal, raw, reason in json.loads(batch)]

    def close(self) -> None:
        """Give the room on the disk back."""
        self._file.close()

    def _write(self) -> None:
        if self._pending:
            with room_needed(self._directory):
                self._file.write(json.dumps(self._pending).encode("ascii") + b"\n")
        self._pending = []


def printable(raw: bytes) -> str:
    r"""
    Decode rejected text, cut after 200 characters.

    Bytes that are not UTF-8 become `\xff`, and NUL `\x00`, which PostgreSQL cannot store.
    """
    text = raw[: 4 * MAX_RAW].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    is_longer = len(text) > MAX_RAW or len(raw) > 4 * MAX_RAW
    return text[:MAX_RAW] + "…" if is_longer else text
