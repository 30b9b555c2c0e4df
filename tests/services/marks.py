"""What tasks and commands under test have done: lines in a file that all their processes share."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = ["VARIABLE", "Mark", "mark", "most_at_once", "read_marks"]

#: The environment variable that names the file.
VARIABLE = "LAB_MARKS"


class Mark(NamedTuple):
    """A line: what happened, to whom, in which process, and when, by `time.monotonic`."""

    what: str
    key: str
    pid: int
    at: float


def mark(what: str, key: str) -> None:
    """Append a line."""
    line = f"{what} {key} {os.getpid()} {time.monotonic()}\n"
    file = os.open(os.environ[VARIABLE], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def read_marks(file: Path) -> list[Mark]:
    """Return all lines so far, in their order; none where there is no file yet."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    # What comes after the last line's end may be the half of a line.
    lines = text.split("\n")[:-1]
    read = [line.split() for line in lines]
    return [Mark(what, key, int(pid), float(at)) for what, key, pid, at in read]


def most_at_once(marks: Iterable[Mark]) -> int:
    """Count those between their start and their end, at the worst moment."""
    now = most = 0
    for one in sorted(marks, key=lambda mark: mark.at):
        now += 1 if one.what == "start" else -1
        most = max(most, now)
    return most
