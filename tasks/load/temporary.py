"""Temporary files: gone with the process, and one error when there is no room for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.load.errors import TemporaryDirectoryFull


@contextmanager
def room_needed(directory: Path | None) -> Iterator[None]:
    """
    Translate what the system says about a temporary file.

    Args:
        directory: Where it is; None is the system's own place.

    Raises:
        TemporaryDirectoryFull: The file cannot be made or written.
    """
    try:
        yield
    except OSError as fault:
        raise TemporaryDirectoryFull(
            f"There is no room in the temporary directory {directory or tempfile.gettempdir()}"
            f" ({fault.strerror or fault}): make room in it, or name another."
        ) from fault
