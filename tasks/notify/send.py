"""Sending a notice to everybody who wants it, whatever becomes of the others."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from commands.masking import MAX_WORDS
from tasks.errors import InputError
from tasks.notify.channels import parse_target
from tasks.notify.entries import Entry
from tasks.notify.message import Message, Notice, TemplateBroken, render
from tasks.notify.problem import NotSent
from tasks.settings import Settings

#: Seconds for one try of all channels together.
TRY_SECONDS = 10.0
TRIES = 2


@dataclass(slots=True)
class _Attempt:
    """What one try to send one entry came to."""

    #: None when it was sent.
    problem: str | None = "not done in time"
    again: bool = True
    #: The target as it may be logged.
    shown: str = "?"
    #: What is worth knowing although it was sent.
    remark: str | None = None

    def words(self, number: int) -> list[str]:
        """Say what went wrong."""
        problem = f"not sent: {self.problem}" if self.problem else None
        where = f"notification {number} ({self.shown})"
        return [f"{where}: {one}" for one in (self.remark, problem) if one]


def notify(entries: Iterable[Entry], notice: Notice, settings: Settings) -> list[str]:
    """
    Send a notice to all that want it, at once; twice, where it fails.

    Takes 20 seconds at most, however many there are and whatever they do.

    Args:
        entries: As `parse_entries` gives them.
        notice: How the run ended.
        settings: Of e-mail.

    Returns:
        What went wrong, one line each, without secrets; nothing is raised.
    """
    wanting = {n: entry for n, entry in enumerate(entries, start=1) if entry.wants(notice)}
    last: dict[int, _Attempt] = {}
    left = wanting
    for _ in range(TRIES):
        last |= _tried(left, notice, settings)
        left = {n: wanting[n] for n, one in last.items() if one.problem and one.again}
    return [words for number, one in sorted(last.items()) for words in one.words(number)]


def _tried(entries: dict[int, Entry], notice: Notice, settings: Settings) -> dict[int, _Attempt]:
    attempts = {number: _Attempt() for number in entries}
    threads = []
    for number, attempt in attempts.items():
        # With Prefect's settings, which are context; as a daemon, which keeps no process from
        # ending: a thread that waits for a silent server cannot be stopped.
        run = contextvars.copy_context().run
        arguments = (_send, attempt, entries[number], notice, settings)
        threads.append(threading.Thread(target=run, args=arguments, daemon=True))
        threads[-1].start()
    end = time.monotonic() + TRY_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    # Copies, since the late ones are still at it.
    return {number: replace(attempt) for number, attempt in attempts.items()}


def _send(attempt: _Attempt, entry: Entry, notice: Notice, settings: Settings) -> None:
    try:
        target = parse_target(entry.to, settings)
        attempt.shown = target.shown
        message, attempt.remark = _message(notice, entry.template)
        target.send(message, notice, settings)
        attempt.problem = None
    except NotSent as error:
        attempt.problem, attempt.again = str(error), error.again
    except InputError as error:
        attempt.problem, attempt.again = str(error)[:MAX_WORDS], False
    except Exception as error:  # noqa: BLE001 - a notification ends no run
        # Not its words: what nobody foresaw may hold a secret.
        attempt.problem = type(error).__name__


def _message(notice: Notice, template: str) -> tuple[Message, str | None]:
    try:
        return render(notice, template), None
    except TemplateBroken as error:
        return render(notice), f"its template was of no use, the default was taken: {error}"
