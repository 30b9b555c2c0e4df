"""
The inbox: a folder in which each new file starts one run, exactly once.

    inbox/names.txt                  put there by a user
    inbox/waiting/<claim>            written first: this claim has no run yet
    inbox/taken/<claim>/names.txt    the file, moved there by an atomic rename, where it stays

Of two watchers one renames the file, the other finds it gone. The claim is unique, and it is the
idempotency key of the run, so a watcher that dies half-way leaves a claim that the next one
finishes: Prefect's server gives the same run for the same key, however often it is asked.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

WAITING, TAKEN = "waiting", "taken"
#: What programs call a file that they have not finished writing.
_UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", "~")


def start_runs(inbox: Path, settle_seconds: float, start: Callable[[Path, str], None]) -> list[str]:
    """
    Start a run for each file that has settled, and finish the claims that a watcher left.

    Args:
        inbox: The folder; made if it is not there.
        settle_seconds: A file that changed since is still being written.
        start: Called with the file's place and its claim, at least once a claim; it must start one
            run a claim.

    Returns:
        The names of the files whose runs were started.

    Raises:
        ExceptionGroup: Some could not be started; the next watcher tries those again.
    """
    for folder in (WAITING, TAKEN):
        (inbox / folder).mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    failures: list[Exception] = []
    for file in _settled(inbox, settle_seconds):
        try:
            _claim(inbox, file)
        except OSError as error:
            failures.append(error)
    for waiting in sorted((inbox / WAITING).iterdir()):
        try:
            names += [file.name for file in _finish(inbox, waiting, start)]
        except Exception as error:  # noqa: BLE001 - one bad file must not keep the others waiting
            failures.append(error)
    if failures:
        count = len(failures) + len(names)
        message = f"{len(failures)} of {count} files could not be started"
        raise ExceptionGroup(message, failures)
    return names


def _settled(inbox: Path, seconds: float) -> Iterator[Path]:
    for file in sorted(inbox.iterdir()):
        if file.name.startswith(".") or file.name.endswith(_UNFINISHED):
            continue
        # Another watcher may take it between two looks.
        with suppress(OSError):
            found = file.stat()
            if S_ISREG(found.st_mode) and time.time() - found.st_mtime >= seconds:
                yield file


def _claim(inbox: Path, file: Path) -> None:
    claim = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex}"
    folder, waiting = inbox / TAKEN / claim, inbox / WAITING / claim
    folder.mkdir()
    waiting.touch()
    try:
        file.rename(folder / file.name)
    except OSError as error:
        waiting.unlink()
        folder.rmdir()
        # Otherwise another watcher was quicker.
        if not isinstance(error, FileNotFoundError):
            raise


def _held(folder: Path) -> list[Path]:
    # Empty: another watcher is about to move the file there, or died before it did.
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        # Another watcher was quicker than that one, which takes its claim back.
        return []


def _finish(inbox: Path, waiting: Path, start: Callable[[Path, str], None]) -> Iterator[Path]:
    for file in _held(inbox / TAKEN / waiting.name):
        start(file, waiting.name)
        waiting.unlink(missing_ok=True)
        yield file
