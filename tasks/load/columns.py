"""The table in a CSV file: its delimiter, its header, and the column with the names."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from tasks.load.errors import UnknownColumn
from tasks.load.normalise import Normalised, normalise
from tasks.load.sample import valid_share

DELIMITERS: Final = (",", "\t", ";", "|")
#: Share of lines that must have the same number of columns.
REGULAR: Final = 0.8
SAMPLE_ROWS: Final = 200  #: Rows in which columns are compared.
#: What people call the column with the names.
_NAME_HEADER = re.compile(
    r"(?:.*[\s_-])?(?:domains?|hosts?|hostnames?|fqdn|urls?|origins?|websites?|sites?|e-?mails?)"
    r"(?:[\s_-]*(?:names?|address(?:es)?))?|.*domain ?name|names?",
    re.IGNORECASE,
)
_DATA_CELL = re.compile(r"\s*[-+]?\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How a CSV file is laid out."""

    delimiter: str
    #: Index of the column with the names, from 0.
    column: int
    #: The cells of the header, or None when the first row is data.
    header: list[str] | None
    #: Share of the rows that hold a valid name in that column, 0 to 1.
    share: float

    @property
    def column_name(self) -> str | None:
        """What the header calls the column."""
        if self.header is None or len(self.header) <= self.column:
            return None
        return self.header[self.column].strip() or None


def find_table(lines: list[str], *, column: int | str | None, forced: bool) -> Table | None:
    """
    Find the delimiter and the column with the highest share of valid names.

    Args:
        lines: The first lines that are neither blank nor comments.
        column: The user's choice, a number from 1 or a name in the header.
        forced: The file is CSV: one column will do.

    Returns:
        None when the lines are no table; never when `forced`.

    Raises:
        UnknownColumn: The table has no such column.
    """
    tables = [_table(lines, delimiter, column=column) for delimiter in DELIMITERS]
    found = [table for table in tables if table]
    if not found and not forced:
        return _single_column(lines)
    if not found:
        found = [_best(_rows(lines, ","), ",", column=column)]
    return max(found, key=lambda table: table.share)


def _table(lines: list[str], delimiter: str, *, column: int | str | None) -> Table | None:
    rows = _rows(lines, delimiter)
    widths = Counter(map(len, rows))
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    if width < 2 or count < REGULAR * len(rows):
        return None
    return _best(rows, delimiter, column=column)


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(lines[:SAMPLE_ROWS], delimiter=delimiter))
    except csv.Error:
        return []
    return [row for row in rows if row]


def _best(rows: list[list[str]], delimiter: str, *, column: int | str | None) -> Table:
    header = rows[0] if rows and _is_header(rows[0]) else None
    body = rows[1:] if header else rows
    if column is not None:
        index, header = _chosen(column, rows, header)
        share = valid_share(_cells(body, index))
    else:
        width = max(map(len, rows), default=1)
        shares = [valid_share(_cells(body, index)) for index in range(width)]
        index = max(range(width), key=lambda i: (shares[i], _is_called_name(header, i), -i))
        share = shares[index]
    return Table(delimiter=delimiter, column=index, header=header, share=share)


def _cells(rows: list[list[str]], index: int) -> list[str]:
    return [row[index] if len(row) > index else "" for row in rows]


def _chosen(
    column: int | str, rows: list[list[str]], header: list[str] | None
) -> tuple[int, list[str] | None]:
    """Return the index of the column that the user names, and the header that it makes certain."""
    names = [cell.strip().casefold() for cell in rows[0]] if rows else []
    if isinstance(column, str) and column.strip().casefold() in names:
        return names.index(column.strip().casefold()), rows[0]
    width = max(map(len, rows), default=0)
    number = int(column) if str(column).strip().isdecimal() else 0
    if 1 <= number <= width:
        return number - 1, header
    known = ", ".join(cell.strip()[:40] for cell in header[:20]) if header else "none in a header"
    raise UnknownColumn(
        f"There is no column {column!r}: use a number from 1 to {width} or a name ({known})."
    )


def _is_header(row: list[str]) -> bool:
    """Say whether a first row names the columns: no figure and no valid name in it."""
    if any(_DATA_CELL.match(cell) or isinstance(normalise(cell), Normalised) for cell in row):
        return False
    return any(_NAME_HEADER.fullmatch(cell.strip()) for cell in row) or len(set(row)) == len(row)


def _is_called_name(header: list[str] | None, index: int) -> bool:
    return bool(header and len(header) > index and _NAME_HEADER.fullmatch(header[index].strip()))


def _single_column(lines: list[str]) -> Table | None:
    """Take a list with one name a line and a header, as Cloudflare Radar's, for a table."""
    if not lines or not _NAME_HEADER.fullmatch(lines[0].strip('" ')):
        return None
    share = valid_share(lines[1:])
    return Table(delimiter=",", column=0, header=[lines[0].strip('" ')], share=share)
