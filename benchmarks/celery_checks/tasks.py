"""The Celery application: one task, which looks one name up."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from typing import Any

import pycares
from celery import Celery
from celery.signals import worker_process_init
from pycares import errno

from commands.dns.channel import FLAGS
from commands.dns.resolver import AAAA, A

#: Seconds between looks at c-ares' time-outs.
TICK_SECONDS = 0.1
STATUSES = {errno.ARES_ENODATA: "nodata", errno.ARES_ENOTFOUND: "nxdomain"}

app = Celery("celery_checks", broker=os.environ["CELERY_CHECKS_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


class LookUp:
    """One c-ares channel, and the loop that drives it."""

    def __init__(self, server: str, results: Path) -> None:
        """Open it, and the file of results."""
        self._sockets: set[int] = set()
        self._results = (results / f"{os.getpid()}.txt").open("a", buffering=1)
        self._channel = pycares.Channel(
            flags=FLAGS, servers=[server], lookups="b", sock_state_cb=self._changed
        )

    def check(self, name: str) -> None:
        """Write down what a name is."""
        status = self._ask(name, A)
        if status == "nodata":
            status = "resolves" if self._ask(name, AAAA) == "resolves" else "nodata"
        self._results.write(f"{name} {status} {time.time()}\n")

    def _ask(self, name: str, record_type: int) -> str:
        said: list[str] = []

        def answered(result: Any, code: int | None) -> None:
            found = code is None and any(record.type == record_type for record in result.answer)
            unknown = "nodata" if code is None else f"error-{code}"
            said.append("resolves" if found else STATUSES.get(code or 0, unknown))

        self._channel.query(name, record_type, callback=answered)
        while not said:
            readable, _, _ = select.select(list(self._sockets), [], [], TICK_SECONDS)
            for descriptor in readable:
                self._channel.process_read_fd(descriptor)
            if not readable:
                self._channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
        return said[0]

    def _changed(self, descriptor: int, readable: bool, _writable: bool) -> None:  # noqa: FBT001 - c-ares calls it
        (self._sockets.add if readable else self._sockets.discard)(descriptor)


_look_ups: list[LookUp] = []


def _open(**_: Any) -> None:
    server, results = os.environ["CELERY_CHECKS_NAMESERVER"], os.environ["CELERY_CHECKS_RESULTS"]
    _look_ups.append(LookUp(server, Path(results)))


def _check(name: str) -> None:
    _look_ups[0].check(name)


# Kept here: Celery holds its receivers weakly. Not as decorators, which have no types.
worker_process_init.connect(_open, weak=False)
check = app.task(name="check")(_check)
