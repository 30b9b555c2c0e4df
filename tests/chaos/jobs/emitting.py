"""
What all emitters have in common: whose turn it is, the pace, and a note of what is emitted.

Nothing here knows Rollcall.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

#: Jobs of a group that are sent before it is another group's turn.
PIECE = 10
#: Where emitters note what is emitted: a line a job. A whole part is over: a file `<group>.over`.
EMITTED, OVER = "emitted", "over"

#: A job: its message id, and its payload.
Wanted = tuple[str, dict[str, Any]]


def emit_parts(send: Callable[[str, Sequence[Wanted]], None]) -> None:
    """
    Emit what the command line says: a JSON file, the seconds between two jobs.

    Args:
        send: Puts jobs on a group's work queue, in this order; returns once all of them are safe.
    """
    file, pause = Path(sys.argv[1]), float(sys.argv[2])
    parts = json.loads(file.read_text(encoding="utf-8"))
    due = time.monotonic()
    for waits in (False, True):
        under_way = [part for part in parts if part["waits"] == waits]
        for part, piece in _pieces(under_way, file.parent):
            send(part["group"], [(job["id"], job["payload"]) for job in piece])
            _note(file.parent / EMITTED, [job["payload"]["key"] for job in piece])
            due = max(due + pause * len(piece), time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
        # What is over was noted by `_pieces`.


def _pieces(
    parts: Sequence[dict[str, Any]], directory: Path
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield some jobs of each part by turns, of those that another one has handed over."""
    left = {part["group"]: list(part["jobs"]) for part in parts}
    while left:
        for part in parts:
            jobs = left.get(part["group"])
            if jobs is None or (part["waits"] and not _over(directory, part["group"]).exists()):
                continue
            if jobs:
                yield part, jobs[:PIECE]
                del jobs[:PIECE]
            if not jobs:
                del left[part["group"]]
                _over(directory, part["group"]).touch()
        time.sleep(0.01)


def _over(directory: Path, group: str) -> Path:
    return directory / f"{group}.{OVER}"


def _note(file: Path, keys: Sequence[str]) -> None:
    """Append lines, at once: others write to the same file."""
    note = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(note, "".join(f"{key}\n" for key in keys).encode())
    finally:
        os.close(note)
