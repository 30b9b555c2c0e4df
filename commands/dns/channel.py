"""
One c-ares channel to one name server, driven by the running event loop.

Why not aiodns: it gives one channel for all servers, so nobody can tell which of them answered,
and it has no way to switch off c-ares' demotion of a server that answers SERVFAIL.
Why a channel lives for one batch only: c-ares caches every answer without a bound, 1.3 kB a name,
for up to an hour, and pycares cannot switch that off. A re-check must ask the network.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import pycares
from pycares import errno

#: SERVFAIL and REFUSED come back at once instead of being asked again in the same breath: the late
#: second pass does that better. Naming any flag switches EDNS off unless it is named too.
FLAGS = pycares.ARES_FLAG_EDNS | pycares.ARES_FLAG_NOCHECKRESP
#: Bytes; the default of 208 kB drops replies when some hundred arrive in one scheduling quantum.
RECEIVE_BUFFER = 4 << 20
#: Seconds between looks at c-ares' time-outs; its shortest time-out is 0.25 s.
TICK_SECONDS = 0.1

#: What a name server itself said, besides an answer; any other code is about the way to it.
SAID = {
    errno.ARES_ENODATA,
    errno.ARES_EFORMERR,
    errno.ARES_ESERVFAIL,
    errno.ARES_ENOTFOUND,
    errno.ARES_ENOTIMP,
    errno.ARES_EREFUSED,
}
STATUSES = {
    errno.ARES_ENODATA: "nodata",
    errno.ARES_ENOTFOUND: "nxdomain",
    errno.ARES_ESERVFAIL: "servfail",
    errno.ARES_EREFUSED: "refused",
    errno.ARES_ETIMEOUT: "timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a name server said to one question."""

    #: ``ok`` with records, or a status of `host`.
    status: str
    #: The answer section.
    records: tuple[Any, ...] = ()
    #: c-ares' words where the status is ``error``.
    error: str | None = None
    #: From the question to the reply, c-ares' own repetitions included.
    seconds: float
    #: The address of the server that was asked.
    server: str
    #: Whether the server said anything at all.
    heard: bool = False

    def of(self, record_type: int) -> list[Any]:
        """Return the records of one type; the aliases on the way to them are none of these."""
        return [record for record in self.records if record.type == record_type]


class Channel:
    """A channel to one name server. Make, use and close it in the loop's own thread."""

    def __init__(
        self, server: str, *, timeout_seconds: float, tries: int, limit_seconds: float | None = None
    ) -> None:
        """
        Open it.

        Args:
            server: Its address, as `parse_name_server` gives it.
            timeout_seconds: The first try's, until c-ares knows the server's pace; then it takes
                five times the server's average, but at least 0.25 s.
            tries: Each waits up to twice as long as the one before.
            limit_seconds: Longest wait for a reply, all tries together; None where they bound it.
        """
        self.server = server
        self._limit = limit_seconds
        self._loop = asyncio.get_running_loop()
        self._sockets: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._channel = pycares.Channel(
            flags=FLAGS,
            servers=[server],
            timeout=timeout_seconds,
            tries=tries,
            lookups="b",
            sock_state_cb=self._socket_changed,
            socket_receive_buffer_size=RECEIVE_BUFFER,
        )

    async def query(self, name: str, record_type: int) -> Reply:
        """Ask for one name and type. Truncated answers are asked for again over TCP by c-ares."""
        future: asyncio.Future[Reply] = self._loop.create_future()
        began = time.perf_counter()

        def answered(result: Any, code: int | None) -> None:
            if not future.done():
                future.set_result(self._reply(result, code, time.perf_counter() - began))

        try:
            self._channel.query(name, record_type, callback=answered)
        except (pycares.AresError, UnicodeError) as error:
            return Reply(status="error", error=str(error), seconds=0.0, server=self.server)
        if self._limit is None:
            return await future
        try:
            async with asyncio.timeout(self._limit):
                return await future
        except TimeoutError:
            return self._reply(None, errno.ARES_ETIMEOUT, time.perf_counter() - began)

    def close(self) -> None:
        """Cancel what is under way and give the channel back."""
        if self._closed:
            return
        self._channel.cancel()
        # c-ares is taken down by a thread of pycares, which must find nothing of the loop's left.
        self._closed = True
        for descriptor in self._sockets:
            self._loop.remove_reader(descriptor)
            self._loop.remove_writer(descriptor)
        self._sockets.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._channel.close()

    def _socket_changed(self, descriptor: int, readable: bool, writable: bool) -> None:  # noqa: FBT001 - c-ares calls it
        if self._closed:
            return
        if readable or writable:
            self._sockets.add(descriptor)
        else:
            self._sockets.discard(descriptor)
        if readable:
            self._loop.add_reader(descriptor, self._channel.process_read_fd, descriptor)
        else:
            self._loop.remove_reader(descriptor)
        if writable:
            self._loop.add_writer(descriptor, self._channel.process_write_fd, descriptor)
        else:
            self._loop.remove_writer(descriptor)
        if self._sockets and self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._channel.process_fd(pycares.ARES_SOCKET_BAD, pycares.ARES_SOCKET_BAD)
        if self._sockets and self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _reply(self, result: Any, code: int | None, seconds: float) -> Reply:
        records = tuple(result.answer) if code is None else ()
        status = "ok" if code is None else STATUSES.get(code, "error")
        error = str(errno.strerror(code)) if code is not None and status == "error" else None
        return Reply(
            status=status,
            records=records,
            error=error,
            seconds=seconds,
            server=self.server,
            heard=code is None or code in SAID,
        )
