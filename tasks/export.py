"""Result files: CSV, JSON Lines or Parquet, by the ending of the file's name."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine

from database.results import FILE_COLUMNS, result_rows
from tasks.errors import InputError, OutputError

Rows = list[tuple[Any, ...]]
#: Rows in memory at once; a row group of a Parquet file.
ROWS_AT_ONCE = 20_000
#: A spreadsheet takes a cell that begins so for a formula, wherever the text came from.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in FILE_COLUMNS[:5]),
        ("attempts", pa.int32()),
        ("decided_by", pa.string()),
        ("latency_ms", pa.float64()),
        ("checked_at", pa.timestamp("us", tz="UTC")),
        ("change", pa.string()),
    ]
)
_ANSWER = FILE_COLUMNS.index("answer")
_CHECKED_AT = FILE_COLUMNS.index("checked_at")


def check_result_file(path: Path) -> None:
    """
    Say before any work is done whether a result file can be written.

    Raises:
        InputError: Its ending is unknown, or its folder cannot be written to.
    """
    if path.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        message = f"the result file {path} must end in one of {known}"
        raise InputError(message)
    folder = path.expanduser().absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the result file's folder {folder} cannot be made: {error.strerror}"
        raise InputError(message) from error
    if path.is_dir() or not os.access(folder, os.W_OK):
        message = f"the result file {path} cannot be written; name a file in a folder of yours"
        raise InputError(message)


def write_result_file(engine: Engine, run: int, path: Path) -> int:
    """
    Write a run's results, in the order of the uploaded file.

    The file appears whole or not at all.

    Args:
        engine: The database.
        run: The run's number.
        path: Checked by `check_result_file`.

    Returns:
        How many rows.

    Raises:
        OutputError: There is no room for it, or it cannot be written.
    """
    path = path.expanduser().absolute()
    try:
        with _whole_or_not(path) as temporary:
            chunks = (_dated(rows) for rows in result_rows(engine, run, ROWS_AT_ONCE))
            return _WRITERS[path.suffix.lower()](temporary, chunks)
    except OSError as error:
        # Arrow's errors have words of their own, and some no number.
        reason = os.strerror(error.errno) if error.errno else str(error)
        message = f"the result file {path} cannot be written: {reason}; run it again when it can"
        raise OutputError(message) from error


@contextmanager
def _whole_or_not(path: Path) -> Iterator[Path]:
    # Not `tempfile`, whose files nobody else may read; nor a longer name than the file's own, which
    # may be as long as a name can be.
    temporary = path.with_name(f".{uuid4().hex}.part")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _dated(rows: Rows) -> Rows:
    return [(*row[:_CHECKED_AT], _utc(row[_CHECKED_AT]), *row[_CHECKED_AT + 1 :]) for row in rows]


def _utc(moment: datetime) -> datetime:
    # SQLite keeps no time zone; what is in there is UTC.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _write_csv(path: Path, chunks: Iterable[Rows]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(FILE_COLUMNS)
        for rows in chunks:
            writer.writerows([[_cell(value) for value in row] for row in rows])
            count += len(rows)
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value.isoformat() if isinstance(value, datetime) else value


def _write_json_lines(path: Path, chunks: Iterable[Rows]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for rows in chunks:
            stream.writelines(_json_line(row) for row in rows)
            count += len(rows)
    return count


def _json_line(row: tuple[Any, ...]) -> str:
    fields = dict(zip(FILE_COLUMNS, row, strict=True))
    answer = row[_ANSWER]
    fields["answer"] = None if answer is None else json.loads(answer)
    fields["checked_at"] = row[_CHECKED_AT].isoformat()
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _write_parquet(path: Path, chunks: Iterable[Rows]) -> int:
    count = 0
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        for rows in chunks:
            columns = [list(column) for column in zip(*rows, strict=True)]
            writer.write_table(pa.table(columns, schema=_SCHEMA))
            count += len(rows)
    return count


_WRITERS: dict[str, Callable[[Path, Iterable[Rows]], int]] = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}
