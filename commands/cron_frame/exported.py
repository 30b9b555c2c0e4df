"""
The folder of a frame: its export, and a note of what became of it.

Only who has the frame's lock is in here. A job that finds the export of an earlier one, which could
not deliver it or was killed, goes on with that.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

EXPORT, PART, NOTE = "export", "export.part", "note.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What is in an export."""

    bytes: int
    #: Of the content, without the moment of the export.
    digest: str
    #: What became of the rows, as JSON.
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of the last export."""

    #: Of the configuration that it was made by.
    fingerprint: str
    #: When it was made, in ISO 8601.
    moment: str
    bytes: int
    digest: str
    answer: Mapping[str, Any]
    #: Where tus takes up its upload; it was begun for this very export.
    upload: str | None = None
    delivered: bool = False

    def key(self, number: int) -> str:
        """
        Return what an endpoint may know a repeated delivery by.

        The moment is in it: else the feed of Monday, delivered again on Wednesday after another one
        on Tuesday, would pass for a repetition.
        """
        text = f"{number} {self.digest} {self.moment}"
        return hashlib.sha256(text.encode()).hexdigest()


class Folder:
    """Where the exports of a frame lie, one at a time."""

    def __init__(self, work: Path, number: int) -> None:
        """Make it; only its owner can look into it, for uploads have addresses that are secret."""
        self._folder = work / f"frame-{number}"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        #: The file that is delivered.
        self.export = self._folder / EXPORT
        #: The file that is being written.
        self.part = self._folder / PART

    def note(self) -> Note | None:
        """Return what is known of the last export."""
        try:
            return Note(**json.loads((self._folder / NOTE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def finish(self, note: Note) -> None:
        """Make what was written the export."""
        # Should we be killed between the two, the old note must not describe the new export.
        (self._folder / NOTE).unlink(missing_ok=True)
        self.part.replace(self.export)
        self.write(note)

    def write(self, note: Note) -> None:
        """Keep a note."""
        path = self._folder / f"{NOTE}.part"
        with path.open("w", encoding="utf-8") as file:
            json.dump(asdict(note), file)
            file.flush()
            os.fsync(file.fileno())
        path.replace(self._folder / NOTE)

    def close(self, note: Note) -> None:
        """Note that the export was delivered; it is not needed any more."""
        self.write(replace(note, delivered=True, upload=None))
        self.export.unlink(missing_ok=True)

    def usable(self, note: Note | None, fingerprint: str, now: datetime, seconds: float) -> bool:
        """Say whether the export was not delivered, is whole, and is what would be made now."""
        if note is None or note.delivered or note.fingerprint != fingerprint:
            return False
        age = now - datetime.fromisoformat(note.moment)
        if not timedelta(0) <= age <= timedelta(seconds=seconds):
            return False
        return self.export.is_file() and self.export.stat().st_size == note.bytes
