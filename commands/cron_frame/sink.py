"""The file that a feed is written to, and what writes one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import datetime
from typing import BinaryIO, Protocol

from commands.cron_frame.offers import Offer


class Sink:
    """Writes text as UTF-8, and adds up what was written."""

    def __init__(self, file: BinaryIO) -> None:
        """Take an empty file."""
        self._file = file
        self._hash = hashlib.sha256()
        #: So far.
        self.bytes = 0

    def write(self, text: str, *, passing: str = "") -> None:
        """
        Write a text.

        Args:
            text: It can be encoded.
            passing: The part of it that may be another one each time, and means nothing.
        """
        data = text.encode()
        self._file.write(data)
        self.bytes += len(data)
        self._hash.update(text.replace(passing, "").encode() if passing else data)

    def keep(self) -> None:
        """Return when the file is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def digest(self) -> str:
        """The digest of the content, without what means nothing."""
        return self._hash.hexdigest()


class Writer(Protocol):
    """Writes offers in one format."""

    def begin(self, moment: datetime) -> None:
        """Write what comes before the offers."""

    def write(self, offers: Iterable[Offer]) -> None:
        """Write some offers."""

    def end(self) -> None:
        """Write what comes behind the offers."""
