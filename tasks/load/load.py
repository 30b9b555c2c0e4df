"""Load domain names: unpack, read, normalise, deduplicate, hand over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from tasks.load.blocks import BlockCutter
from tasks.load.collect import Collector
from tasks.load.containers import open_file, open_streams
from tasks.load.deduplicate import Deduplicator
from tasks.load.detect import Layout, detect_layout, make_reader
from tasks.load.encodings import known_encoding, sniff_encoding
from tasks.load.errors import ArchiveDamaged, FileEmpty, NothingValid
from tasks.load.options import DEFAULT_OPTIONS, LoadOptions, Sink
from tasks.load.partitions import Row
from tasks.load.reasons import REASONS
from tasks.load.rejects import RejectedRows
from tasks.load.report import Detected, LoadReport
from tasks.load.sample import SAMPLE_BYTES, Sample, take_sample
from tasks.load.streams import Budget, Stream

BATCH: Final = 10_000  #: Rows for the sink at once; more does not make SQLite faster.
REASONS_SHOWN: Final = 3

Progress = Callable[[int], None]

_SEPARATORS = re.compile(r"[,;\s]+")


def load_file(
    path: Path,
    sink: Sink,
    options: LoadOptions = DEFAULT_OPTIONS,
    *,
    progress: Progress | None = None,
    temporary_directory: Path | None = None,
) -> LoadReport:
    """
    Load a file of domain names.

    From half a million names on a second process shares the work, where there are two cores.
    Memory does not grow with the file: what does not fit goes to the temporary directory, at most
    the unpacked size of the file and 8 bytes a line.

    Args:
        path: A text file in any of the five formats, plain or packed.
        sink: Where the rows go, once the whole file has been read.
        options: How to read it.
        progress: Called with the number of lines read so far, about every 4 MiB.
        temporary_directory: None is the system's own place.

    Raises:
        LoadError: The file cannot be used; the sink has heard nothing.
    """
    with open_file(path) as file, closing(_Load(options, temporary_directory, progress)) as load:
        load.read(open_streams(file, options.max_bytes))
        return load.hand_over(sink)


def load_text(text: str, sink: Sink, options: LoadOptions = DEFAULT_OPTIONS) -> LoadReport:
    """
    Load names that were pasted into a form.

    Args:
        text: As a file; a single line may hold several names between commas, semicolons or blanks.
        sink: Where the rows go.
        options: How to read it; the encoding has no meaning here.

    Raises:
        LoadError: The text cannot be used; the sink has heard nothing.
    """
    stripped = text.strip()
    if not re.search(r"[\r\n]", stripped) and options.format is None and options.column is None:
        text = _SEPARATORS.sub("\n", stripped)
    data = text.encode("utf-8", "surrogatepass")
    pieces = Budget(options.max_bytes).spend(iter([data]))
    with closing(_Load(options)) as load:
        load.read(iter([Stream(pieces)]), encoding="utf-8")
        return load.hand_over(sink)


class _Load:
    """One load: first everything is read, then everything is handed over."""

    def __init__(
        self,
        options: LoadOptions,
        temporary_directory: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._options = options
        self._encoding = known_encoding(options.encoding) if options.encoding else None
        self._progress = progress or (lambda _lines: None)
        self._names = Deduplicator(temporary_directory)
        self._rejected = RejectedRows(temporary_directory)
        self._collector = Collector(
            self._names, self._rejected, max_line_bytes=options.max_line_bytes
        )
        self._cutter = BlockCutter(max_line_bytes=options.max_line_bytes)
        self._detected: list[Detected] = []
        self._damage: list[str] = []

    def read(self, streams: Iterator[Stream], *, encoding: str | None = None) -> None:
        """Read all streams, each with its own encoding and format."""
        for stream in streams:
            chosen = encoding or self._encoding or sniff_encoding(stream.peek(SAMPLE_BYTES))
            sample = take_sample(stream, chosen)
            layout = detect_layout(sample, self._options)
            self._read_stream(stream, chosen, layout)
            self._detected.append(_detected(stream, chosen, sample, layout))
            if stream.damage:
                self._damage.append(stream.damage)

    def hand_over(self, sink: Sink) -> LoadReport:
        """Give everything to the sink and close the books."""
        if not self._collector.valid:
            raise self._nothing()
        unique = 0
        for rows in _batches(self._names.rows()):
            sink.add_domains(rows)
            unique += len(rows)
        for rejected in self._rejected.batches():
            sink.add_rejected(rejected)
        return self._report(unique)

    def close(self) -> None:
        """Give the room on the disk back."""
        self._names.close()
        self._rejected.close()

    def _read_stream(self, stream: Stream, encoding: str, layout: Layout) -> None:
        reader = make_reader(layout, max_line_bytes=self._options.max_line_bytes)
        for block in self._cutter.cut(stream, encoding):
            self._collector.add(reader.read(block))
            self._progress(self._cutter.lines)
        self._collector.add(reader.finish())
        if self._cutter.cut_off is not None:
            self._collector.cut_off(self._cutter.lines, self._cutter.cut_off)

    def _report(self, unique: int) -> LoadReport:
        ledger = self._collector.ledger(lines=self._cutter.lines, unique=unique)
        ledger.check(one_name_a_line=all(one.format != "hosts" for one in self._detected))
        return LoadReport(
            detected=_summary(self._detected),
            ledger=ledger,
            reasons=dict(self._collector.reasons.most_common()),
            truncated=self._truncated(),
        )

    def _truncated(self) -> str | None:
        if not self._damage:
            return None
        kept = self._cutter.lines
        return f"{self._damage[0].capitalize()}: the {kept:,} lines before that were kept."

    def _nothing(self) -> Exception:
        """Word why there is nothing to hand over."""
        if self._damage:
            what = self._damage[0].capitalize()
            return ArchiveDamaged(f"{what} and no valid name came out of it: upload it again.")
        if not self._cutter.lines:
            return FileEmpty("There is nothing in it: give one domain name a line.")
        report = self._report(0)
        ledger = report.ledger
        reasons = (
            f"{count:,} {REASONS[reason]}"
            for reason, count in list(report.reasons.items())[:REASONS_SHOWN]
        )
        return NothingValid(
            f"There is no valid domain name in its {ledger.lines:,} lines ({ledger.blank:,} blank,"
            f" {ledger.comment:,} comments, {ledger.invalid:,} invalid"
            f"{': ' if report.reasons else ''}{', '.join(reasons)}): check that it is the right"
            f" file, which was read as {report.detected.describe()}.",
            report,
        )


def _detected(stream: Stream, encoding: str, sample: Sample, layout: Layout) -> Detected:
    format_name, table = layout
    return Detected(
        container=stream.container,
        encoding=encoding,
        format=format_name,
        newline=sample.newline,
        delimiter=table.delimiter if table else None,
        column=table.column + 1 if table else None,
        column_name=table.column_name if table else None,
        header=bool(table and table.header),
        member=stream.member,
    )


def _summary(detected: list[Detected]) -> Detected:
    """Describe several files of a zip by the first of them."""
    first = detected[0]
    if len(detected) == 1:
        return first
    return replace(first, member=f"{first.member} and {len(detected) - 1} more")


def _batches(lists: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """Cut and join lists of rows to batches, all but the last of the same length."""
    pending: list[Row] = []
    for rows in lists:
        pending += rows
        full = len(pending) - len(pending) % BATCH
        for start in range(0, full, BATCH):
            yield pending[start : start + BATCH]
        pending = pending[full:]
    if pending:
        yield pending
