"""CSV and its kin: one column holds the names."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Final

from tasks.load.blocks import Block
from tasks.load.readers.candidates import Candidates, Rejection

#: Lines that a quoted field may go over; a quote that stays open longer is taken for a stray one.
MAX_RECORD_LINES: Final = 64

Lines = list[tuple[int, str]]  #: Number and text, with surrogates for bytes that are not UTF-8.


class TableReader:
    """
    Reads tables with one record a line, or several where a quoted field holds newlines.

    The header and the further lines of such a record count as comments.
    """

    def __init__(self, *, delimiter: str, column: int, header: bool, max_line_bytes: int) -> None:
        """
        Args:
            delimiter: One character.
            column: Index of the column with the names, from 0.
            header: Whether the first record names the columns.
            max_line_bytes: A longer line is rejected as a whole.
        """
        self._delimiter = delimiter
        self._column = column
        self._header_pending = header
        self._max_line_bytes = max_line_bytes
        self._held: Lines = []

    def read(self, block: Block) -> Candidates:
        """Find the field of each record; a record that is still open waits for the next block."""
        found = Candidates()
        lines = self._held
        self._held = []
        for number, raw in zip(block.numbers, block.data.split(b"\n"), strict=True):
            if len(raw) > self._max_line_bytes:
                rejection = Rejection(line=number, ordinal=0, raw=raw, reason="line_too_long")
                found.rejections.append(rejection)
            elif not raw or raw.isspace():
                found.blank += 1
            elif raw.startswith(b"#"):
                found.comment += 1
            else:
                lines.append((number, raw.decode("utf-8", "surrogateescape")))
        return self._extract(self._records(lines, found, at_end=False), found)

    def finish(self) -> Candidates:
        """Read the lines that were held back."""
        found = Candidates()
        lines, self._held = self._held, []
        return self._extract(self._records(lines, found, at_end=True), found)

    def _records(self, lines: Lines, found: Candidates, *, at_end: bool) -> Lines:
        """Join the lines of records that go over several."""
        if not any(text.count('"') & 1 for _, text in lines):
            return lines
        records: Lines = []
        index = 0
        while index < len(lines):
            number, text = lines[index]
            span = self._span(lines, index) if text.count('"') & 1 else 1
            if span is None and not at_end:
                self._held = lines[index:]
                break
            joined = "\n".join(text for _, text in lines[index : index + (span or 1)])
            records.append((number, joined))
            found.comment += (span or 1) - 1
            index += span or 1
        return records

    def _span(self, lines: Lines, start: int) -> int | None:
        """Count the lines of a record: 1 when it never closes, None when the lines run out."""
        if not self._is_open(lines[start][1]):
            return 1
        for index in range(start + 1, min(len(lines), start + MAX_RECORD_LINES)):
            if lines[index][1].count('"') & 1:
                return index - start + 1
        return None if len(lines) < start + MAX_RECORD_LINES else 1

    def _is_open(self, text: str) -> bool:
        try:
            next(csv.reader([text], delimiter=self._delimiter, strict=True))
        except csv.Error as fault:
            return "unexpected end" in str(fault)
        return False

    def _extract(self, records: Lines, found: Candidates) -> Candidates:
        """Put the fields of the column, and what has none, into the candidates."""
        if records and self._header_pending:
            self._header_pending = False
            found.comment += 1
            records = records[1:]
        fields: list[str] = []
        numbers: list[int] = []
        for (number, text), row in zip(records, self._rows(records), strict=True):
            value = row[self._column] if row and len(row) > self._column else ""
            if value and not value.isspace():
                fields.append(value)
                numbers.append(number)
            else:
                raw = text.encode("utf-8", "surrogateescape")
                reason = "bad_csv" if row is None else "no_name"
                found.rejections.append(Rejection(line=number, ordinal=0, raw=raw, reason=reason))
        found.data = _joined(fields)
        found.lines = numbers
        return found

    def _rows(self, records: Lines) -> Sequence[list[str] | None]:
        texts = [text for _, text in records]
        try:
            rows = list(csv.reader(texts, delimiter=self._delimiter))
        except csv.Error:
            rows = []
        if len(rows) == len(texts):
            return rows
        return [self._row(text) for text in texts]

    def _row(self, text: str) -> list[str] | None:
        """Read one record; with a stray quote, as if quotes meant nothing."""
        try:
            if self._is_open(text):
                return text.split(self._delimiter)
            return next(csv.reader([text], delimiter=self._delimiter), None)
        except csv.Error:
            return None


def _joined(fields: list[str]) -> bytes:
    data = "\n".join(fields)
    if data.count("\n") >= max(1, len(fields)):  # A newline within a field: no name has one.
        data = "\n".join(field.replace("\n", " ") for field in fields)
    return data.encode("utf-8", "surrogateescape")
