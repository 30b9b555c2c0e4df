"""Candidates to names: the fast path where it goes, `normalise` elsewhere, all of it counted."""

from __future__ import annotations

from collections import Counter
from itertools import compress

from tasks.load.comments import is_comment, without_inline_comment
from tasks.load.deduplicate import Deduplicator
from tasks.load.normalise import EDGES, Normalised, Rejected, normalise
from tasks.load.plain import plain_names
from tasks.load.readers.candidates import Candidates
from tasks.load.rejects import RejectedRows
from tasks.load.report import Ledger


class Collector:
    """
    Takes candidates and keeps the books.

    Attributes:
        reasons: Rejected names by reason.
        flags: Rewritten names by flag.
    """

    def __init__(self, names: Deduplicator, rejected: RejectedRows, *, max_line_bytes: int) -> None:
        self.reasons: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.valid = 0
        self._names = names
        self._rejected = rejected
        self._max_line_bytes = max_line_bytes
        self._blank = self._comment = self._lines_with_names = 0

    def add(self, candidates: Candidates) -> None:
        """Sort the candidates of a block into names, rejected, blank and comment."""
        for rejection in candidates.rejections:
            self.reject(rejection.line, rejection.ordinal, rejection.raw, rejection.reason)
        self._blank += candidates.blank
        self._comment += candidates.comment
        before = self.valid + self.reasons.total() - len(candidates.rejections)
        if candidates.lines:
            self._add_names(candidates)
        here = self.valid + self.reasons.total() - before
        with_names = candidates.lines_with_names
        self._lines_with_names += here if with_names is None else with_names

    def reject(self, line: int, ordinal: int, raw: bytes, reason: str) -> None:
        """Count and keep one rejected text."""
        self.reasons[reason] += 1
        self._rejected.add(line, ordinal, raw, reason)

    def cut_off(self, line: int, raw: bytes) -> None:
        """Reject the line in the middle of which an archive ends."""
        self._lines_with_names += 1
        self.reject(line, 0, raw, "cut_off")

    def ledger(self, *, lines: int, unique: int) -> Ledger:
        """Close the books, given the count of all lines and of the unique names."""
        invalid = self.reasons.total()
        return Ledger(
            lines=lines,
            blank=self._blank,
            comment=self._comment,
            lines_with_names=self._lines_with_names,
            names=self.valid + invalid,
            invalid=invalid,
            duplicate=self.valid - unique,
            unique=unique,
            flags=dict(sorted(self.flags.items())),
        )

    def _add_names(self, candidates: Candidates) -> None:
        found = plain_names(candidates.data)
        if b"" not in found:
            self.valid += len(found)
            self._names.add(found, candidates.lines)
            return
        raw = candidates.data.split(b"\n")
        for index, name in enumerate(found):
            if not name:
                found[index] = self._slow(candidates, index, raw[index])
        names = list(filter(None, found))
        self.valid += len(names)
        self._names.add(names, compress(candidates.lines, found))

    def _slow(self, candidates: Candidates, index: int, raw: bytes) -> bytes:
        """Return the name of a candidate that is not plain, or nothing once it is counted."""
        try:
            text, is_utf8 = raw.decode("utf-8").strip(EDGES), True
        except UnicodeDecodeError:
            text, is_utf8 = raw.decode("utf-8", "replace").strip(EDGES), False
        is_too_long = len(raw) > self._max_line_bytes
        if candidates.whole_lines:
            if not text:
                self._blank += 1
                return b""
            if not is_too_long and is_comment(text):
                self._comment += 1
                return b""
            text = without_inline_comment(text)
        if is_utf8 and not is_too_long:
            outcome = normalise(text)
        else:
            outcome = Rejected(reason="line_too_long" if is_too_long else "not_utf8")
        if isinstance(outcome, Normalised):
            self.flags.update(outcome.flags)
            return outcome.name.encode("ascii")
        ordinal = candidates.ordinals[index] if candidates.ordinals else 0
        self.reject(candidates.lines[index], ordinal, raw, outcome.reason)
        return b""
