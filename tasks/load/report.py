"""What a load says afterwards: how the file was read, and where every line went."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.load.encodings import encoding_words

_FORMAT_WORDS = {
    "names": "one name a line",
    "hosts": "hosts file",
    "adblock": "ad blocker's filter list",
    "zone": "zone file",
}
_DELIMITER_WORDS = {"\t": "tabs"}


class LedgerBroken(RuntimeError):
    """Raised when the ledger does not balance: a fault of the loader, not of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """How a file was read."""

    #: none, gzip, bzip2, xz, zstd, zip, or one in another such as `gzip in zip`.
    container: str
    #: Python's name, such as utf-8.
    encoding: str
    #: names, csv, hosts, adblock or zone.
    format: str
    #: LF, CRLF, CR, mixed or none.
    newline: str
    #: Of a CSV file, else None.
    delimiter: str | None = None
    #: Number of the CSV column with the names, from 1, else None.
    column: int | None = None
    #: Its name in the header, if there is one.
    column_name: str | None = None
    #: Whether the first record names the columns.
    header: bool = False
    #: The file in the zip, or `a.txt and 2 more`.
    member: str | None = None

    def describe(self) -> str:
        """Return one line for the user."""
        parts = [] if self.container == "none" else [self.container]
        if self.member:
            parts.append(self.member)
        parts.append(encoding_words(self.encoding))
        if self.format != "csv":
            return ", ".join((*parts, _FORMAT_WORDS[self.format]))
        delimiter = _DELIMITER_WORDS.get(self.delimiter or "", f"'{self.delimiter}'")
        header = "and a header" if self.header else "and no header"
        name = f" ({self.column_name})" if self.column_name else ""
        return ", ".join(
            (*parts, f"CSV with {delimiter} {header}", f"names in column {self.column}{name}")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where every line and every name went; all figures are counts."""

    lines: int
    blank: int
    #: Also headers, directives and further lines of a record.
    comment: int
    #: Lines with at least one name, valid or not.
    lines_with_names: int
    #: Valid or not; as many as `lines_with_names` except in hosts files.
    names: int
    invalid: int
    duplicate: int
    unique: int
    #: Flag of `reasons.FLAGS` -> names that were rewritten so, duplicates too.
    flags: dict[str, int]

    def check(self, *, one_name_a_line: bool) -> None:
        """
        Hold the books against each other.

        Raises:
            LedgerBroken: They do not balance.
        """
        balances = (
            self.names == self.invalid + self.duplicate + self.unique
            and self.lines == self.blank + self.comment + self.lines_with_names
            and (self.names == self.lines_with_names or not one_name_a_line)
            and min(self.blank, self.comment, self.invalid, self.duplicate, self.unique) >= 0
        )
        if not balances:
            raise LedgerBroken(f"the ledger does not balance: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The outcome of a load."""

    detected: Detected
    ledger: Ledger
    #: Reason of `reasons.REASONS` -> names rejected for it, most frequent first.
    reasons: dict[str, int]
    #: Why the archive ended early while what came before it was kept, a sentence; else None.
    truncated: str | None = None
