"""
The one event loop of a process in which all its batches run.

Batches come from many threads (Prefect's task runner, a worker's consumers). One loop for all of
them costs less than a loop for each, whose threads would fight for the interpreter, and lets them
share a name server's pace.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine in the process's loop, from any other thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running_loop())


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - one a process is what this module is for
    with _lock:
        if _loop is None:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="commands", daemon=True).start()
            # Not before: nobody would run what is given to a loop whose thread did not start.
            _loop = loop
        return _loop


def _forget() -> None:
    """Begin anew in a forked child, which has the loop but not the thread that runs it."""
    global _lock, _loop  # noqa: PLW0603 - see above
    _lock = threading.Lock()
    _loop = None


os.register_at_fork(after_in_child=_forget)
