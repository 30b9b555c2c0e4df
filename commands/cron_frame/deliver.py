"""Bringing an export to where it belongs, in as many tries as the frame allows."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from commands.cron_frame.endpoint import TYPES, Again, Endpoint
from commands.cron_frame.errors import EndpointFails, EndpointSilent, FileRefused
from commands.cron_frame.exported import Folder, Note
from commands.cron_frame.reading import Order
from commands.cron_frame.thread import ExportThread, Stop
from commands.cron_frame.tus import Tus

#: Bytes that are copied at once.
PIECE = 1 << 20
#: The longest pause of our own, in seconds.
MOST_PAUSE = 300.0


async def deliver(order: Order, folder: Folder, note: Note, thread: ExportThread) -> int:
    """
    Deliver an export, and return how many tries it took.

    Raises:
        EndpointRefused: The endpoint will not take it.
        EndpointFails: It did not, in all tries; `EndpointSilent`: because it said nothing.
        FileRefused: The file cannot be written.
    """
    if not order.frame.to_web:
        target = Path(order.frame.destination)
        await thread.run(lambda: to_file(folder.export, target, thread.stop))
        return 1
    async with Endpoint(order, thread) as endpoint:
        if order.frame.resume == "tus":
            upload = Tus(order, endpoint, folder, note, thread)
            return await _tried(order, upload.attempt, lambda: upload.offset)
        headers = {
            "Content-Type": TYPES[order.frame.format],
            "Idempotency-Key": note.key(order.number),
        }

        async def attempt() -> None:
            method = order.frame.method
            reply = await endpoint.ask(method, endpoint.url, headers, path=folder.export)
            if not reply.good:
                endpoint.fail(reply)

        return await _tried(order, attempt, lambda: 0)


async def _tried(
    order: Order, attempt: Callable[[], Awaitable[None]], progress: Callable[[], int]
) -> int:
    """Try until it is done; a try that brought the upload on does not count as a failed one."""
    frame = order.frame
    tries = failed = 0
    while True:
        tries += 1
        before = progress()
        try:
            await attempt()
        except Again as error:
            failed = 1 if progress() > before else failed + 1
            kind = EndpointSilent if error.silent else EndpointFails
            if failed >= frame.tries:
                raise kind(f"{order.shown}: {error} (after {tries} tries)") from error
            if (error.wait or 0.0) > frame.most_wait_seconds:
                raise EndpointFails(
                    f"{error}, and asks to be left alone for {error.wait:.0f} s, "
                    f"longer than most_wait_seconds"
                ) from error
            pause = min(frame.backoff_seconds * 2 ** (failed - 1), MOST_PAUSE)
            await asyncio.sleep(max(pause * random.uniform(1, 1.5), error.wait or 0.0))
        else:
            return tries


def to_file(export: Path, target: Path, stop: Stop) -> None:
    """
    Put an export in the place of a file, so that nobody ever sees a part of it.

    Raises:
        FileRefused: It cannot be written; the file that was there is as it was.
    """
    # Beside it: a file can be renamed within a file system only.
    part = target.with_name(f".{target.name}.part")
    try:
        try:
            _copy(export, part, stop)
            stop.check()
            part.replace(target)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        _keep(target.parent)
    except OSError as error:
        raise FileRefused(f"{target} cannot be written: {error.strerror}") from error


def _copy(export: Path, part: Path, stop: Stop) -> None:
    with export.open("rb") as source, part.open("wb") as copy:
        while piece := source.read(PIECE):
            stop.check()
            copy.write(piece)
        copy.flush()
        os.fsync(copy.fileno())


def _keep(folder: Path) -> None:
    """Return when the folder's entries are on the disk."""
    entry = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
