"""`cron_frame`: exports a frame of a product feed, and delivers it; never one twice at a time."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from commands.command import MAX_ERROR_LENGTH, Command, Outcome
from commands.cron_frame.build import build, now
from commands.cron_frame.deliver import deliver
from commands.cron_frame.errors import EndpointSilent, FrameError
from commands.cron_frame.exported import Folder, Note
from commands.cron_frame.reading import Order, read
from commands.cron_frame.thread import ExportThread
from commands.handling import Handling
from commands.locks import Holder, LockLost, LocksAway, LockTaken, while_held


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What one job came to."""

    order: Order
    #: One of the command's statuses.
    status: str
    #: None where another job was at it.
    note: Note | None = None
    #: Of delivering.
    tries: int = 0
    #: Whether the export was an earlier job's, which could not deliver it.
    reused: bool = False
    seconds: float = 0.0
    holder: Holder = field(default_factory=Holder)


class CronFrame(Command[Order, Export]):
    """Export a frame, and deliver it. Its payload is the frame's number."""

    name = "cron_frame"
    checks_domains = False
    statuses = ("delivered", "unchanged", "busy", "timeout", "error")
    #: `busy`: the frame is being exported at this moment, which is what the job wanted.
    good = frozenset({"delivered", "unchanged", "busy"})
    volatile = frozenset({"seconds", "tries", "reused", "since", "by"})
    in_flight = 10
    handling = Handling(
        # RabbitMQ's consumer_timeout is 30 minutes, after which another worker has it, too.
        timeout_seconds=1_500,
        retries=2,
        backoff_seconds=10,
        reactions={"SourceAway": "retry", "LocksAway": "retry", "LockLost": "retry"},
    )

    def prepare(self, payload: Any) -> Order:
        """
        Return what is to be exported.

        Raises:
            ValueError: It is no number, there is no such frame, or what is said of it is wrong.
        """
        text = payload.strip() if isinstance(payload, str) else payload
        if isinstance(text, str) and text.isdecimal() and text.isascii() and len(text) < 10:
            text = int(text)
        if isinstance(text, bool) or not isinstance(text, int) or text < 0:
            shown = repr(payload)[:50]
            message = f"cron_frame takes the number of a frame, e.g. 5, and not {shown}"
            raise ValueError(message)
        if self.environment.feeds is None:
            message = (
                "cron_frame needs the setting ROLLCALL_FEEDS: the path of a TOML file that "
                "describes the frames; docs/cron-frame.md says how"
            )
            raise ValueError(message)
        return read(self.environment.feeds, text, self.environment.variables)

    async def execute(self, execution: Order) -> Export:
        """Export and deliver, unless somebody else is at it."""
        began = time.perf_counter()
        key = f"cron_frame {execution.number}"
        try:
            async with self.environment.locks.taken(key) as lock, ExportThread() as thread:
                done = await while_held(lock, lambda: self._export(execution, thread))
        except LockTaken as error:
            return Export(order=execution, status="busy", holder=error.holder)
        return replace(done, seconds=round(time.perf_counter() - began, 3))

    async def _export(self, order: Order, thread: ExportThread) -> Export:
        folder = await thread.run(lambda: Folder(self._work_folder(), order.number))
        note, reused, changed = await thread.run(lambda: _made(order, folder, thread))
        if not changed:
            return Export(order=order, status="unchanged", note=note)
        tries = await deliver(order, folder, note, thread)
        await thread.run(lambda: folder.close(note))
        return Export(order=order, status="delivered", note=note, tries=tries, reused=reused)

    def _work_folder(self) -> Path:
        return self.environment.work_folder or Path(tempfile.gettempdir(), "rollcall-work")

    def interpret(self, output: Export) -> Outcome:
        """Say what was exported, and what was not."""
        frame = output.order.frame
        answer: dict[str, Any] = {"frame": output.order.number, "destination": output.order.shown}
        if output.note is None:
            since = output.holder.since
            answer["by"] = output.holder.by
            answer["since"] = since and since.isoformat(timespec="seconds")
            return Outcome(status=output.status, answer=answer)
        answer |= {
            "format": frame.format,
            "bytes": output.note.bytes,
            "tries": output.tries,
            "reused": output.reused,
            "seconds": output.seconds,
            **output.note.answer,
        }
        return Outcome(status=output.status, answer=answer)

    def mark(self, error: BaseException) -> Outcome:
        """Say what an exception means; those that are ours are sentences already."""
        status = self.expired_status if isinstance(error, EndpointSilent) else self.failed_status
        if isinstance(error, FrameError | LockLost | LocksAway | ValueError):
            return Outcome(status=status, error=str(error)[:MAX_ERROR_LENGTH])
        return super().mark(error)


def _made(order: Order, folder: Folder, thread: ExportThread) -> tuple[Note, bool, bool]:
    """Return the export's note, whether an earlier job made it, and whether it has to go out."""
    moment, last = now(), folder.note()
    seconds = order.frame.reuse_seconds
    if last is not None and folder.usable(last, order.fingerprint, moment, seconds):
        return last, True, True
    counts = build(order, folder.part, moment, thread.stop)
    note = Note(
        fingerprint=order.fingerprint,
        moment=moment.isoformat(),
        bytes=counts.bytes,
        digest=counts.digest,
        answer=dict(counts.answer),
    )
    if order.frame.skip_unchanged and _is_there(order, note, last):
        folder.part.unlink()
        return note, False, False
    folder.finish(note)
    return note, False, True


def _is_there(order: Order, note: Note, last: Note | None) -> bool:
    """Say whether the destination has this already, as far as we know."""
    if last is None or not last.delivered:
        return False
    same = (last.digest, last.fingerprint) == (note.digest, note.fingerprint)
    return same and (order.frame.to_web or Path(order.frame.destination).is_file())
