"""What the caller decides: how to read, how much at most, and where the rows go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

GIBIBYTE = 1024**3
KIBIBYTE = 1024


class Sink(Protocol):
    """
    Where the rows go. It hears nothing before the whole file has been read and found usable.

    Each call brings about 10,000 rows; an exception of the sink ends the load as it is.
    """

    def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
        """
        Take unique names.

        Args:
            rows (n, 3): Slot (`zlib.crc32` of the name), name, number of the line where it was
                first seen (from 1). Over all calls in increasing order of (slot, name).
        """

    def add_rejected(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """
        Take what was rejected.

        Args:
            rows (n, 4): Line (from 1), ordinal within the line (from 0), the text (cut short,
                without NUL and lone surrogates), reason (of `reasons.REASONS`). Over all calls
                in increasing order of (line, ordinal).
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to read a file. What is None is found out from the file itself."""

    #: names, csv, hosts, adblock or zone.
    format: str | None = None
    #: Column of a CSV file that holds the names: its number (from 1) or its name in the header.
    column: int | str | None = None
    #: Any text encoding that Python knows.
    encoding: str | None = None
    #: Bound on the bytes that come out of the archive, or that a plain file has.
    max_bytes: int = 4 * GIBIBYTE
    #: A longer line is rejected as a whole, in bytes.
    max_line_bytes: int = 64 * KIBIBYTE


DEFAULT_OPTIONS = LoadOptions()
