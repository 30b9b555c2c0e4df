"""
An HTTP endpoint that takes feeds: one request at a time, and what its answer means.

Its address is the operator's own, and no user's: it is connected to as it is, without the guard
that looks at addresses which users name.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, NoReturn, Self

import httpx

from commands.cron_frame.errors import EndpointRefused
from commands.cron_frame.reading import Order, hide
from commands.cron_frame.thread import ExportThread
from commands.net.retry_after import pause_of

#: Bytes that are read and sent at once.
PIECE = 64 * 1024
#: Of what the server says about a refusal.
MOST_WORDS, MOST_WORD_BYTES = 200, 4_096
CONNECT_SECONDS = 10.0
TYPES = {"yml": "application/xml; charset=utf-8", "csv": "text/csv; charset=utf-8"}
#: Beside 5xx.
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class Again(Exception):
    """It did not work, and may work another time."""

    def __init__(self, reason: str, *, wait: float | None = None, silent: bool = False) -> None:
        """
        Say why.

        Args:
            reason: For a person, without secrets.
            wait: Seconds that the server has asked for.
            silent: It said nothing in time.
        """
        super().__init__(reason)
        self.wait = wait
        self.silent = silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server has answered."""

    status: int
    headers: httpx.Headers
    #: The beginning of what it says, on one line and without secrets.
    words: str

    @property
    def good(self) -> bool:
        """Whether it says that all is well."""
        return HTTPStatus(200) <= self.status < HTTPStatus(300)


class Endpoint:
    """A connection to it."""

    def __init__(self, order: Order, thread: ExportThread) -> None:
        """Take what is to be delivered, and the thread that reads files."""
        self._order = order
        self._thread = thread
        self.url = httpx.URL(order.frame.destination)
        seconds = order.frame.timeout_seconds
        user = self.url.username, self.url.password
        # Variables of the environment that lead to a proxy are not for us: loopback is as good.
        self._client = httpx.AsyncClient(
            auth=httpx.BasicAuth(*user) if any(user) else None,
            timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            trust_env=False,
            headers={"User-Agent": "Rollcall (cron_frame)", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        """Give it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self._client.aclose()

    async def ask(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        *,
        path: Path | None = None,
        offset: int = 0,
    ) -> Reply:
        """
        Send a request, and return the answer, whatever it is.

        Args:
            method: Of HTTP.
            url: At this endpoint's server.
            headers: Beside those that are configured.
            path: A file that is sent.
            offset: In bytes; of the file what is before is not sent.

        Raises:
            Again: The connection was not made or was lost, or there was no answer in time.
            EndpointRefused: It cannot be spoken to at all.
        """
        try:
            async with self._sent(method, url, headers, path, offset) as response:
                return Reply(
                    status=response.status_code,
                    headers=response.headers,
                    words="" if response.is_success else await self._words(response),
                )
        except httpx.TimeoutException as error:
            seconds = self._order.frame.timeout_seconds
            raise Again(f"no answer within {seconds:g} s", silent=True) from error
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            words = hide(self._order, str(error) or type(error).__name__)
            if "CERTIFICATE_VERIFY_FAILED" in words:
                raise EndpointRefused(f"{self._order.shown}: {words}") from error
            raise Again(f"the connection failed: {words}") from error
        except httpx.HTTPError as error:
            words = hide(self._order, str(error))
            raise EndpointRefused(
                f"{self._order.shown}: {type(error).__name__}: {words}"
            ) from error

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        path: Path | None,
        offset: int,
    ) -> AsyncIterator[httpx.Response]:
        merged = httpx.Headers(headers)
        merged.update(self._order.frame.headers)
        # The client logs the URL that it is given: what may be secret goes beside it.
        origin = url.copy_with(raw_path=b"/", userinfo=b"", fragment=None)
        extensions = {"target": url.raw_path}
        if path is None:
            async with self._client.stream(
                method, origin, headers=merged, extensions=extensions
            ) as response:
                yield response
            return
        with await self._thread.run(lambda: path.open("rb")) as file:
            size = await self._thread.run(partial(file.seek, 0, os.SEEK_END))
            await self._thread.run(partial(file.seek, offset))
            merged["Content-Length"] = str(size - offset)
            async with self._client.stream(
                method, origin, headers=merged, extensions=extensions, content=self._pieces(file)
            ) as response:
                yield response

    async def _pieces(self, file: BinaryIO) -> AsyncIterator[bytes]:
        while piece := await self._thread.run(partial(file.read, PIECE)):
            yield piece

    async def _words(self, response: httpx.Response) -> str:
        read = b""
        # Who does not finish its sentence has still answered.
        with suppress(httpx.HTTPError):
            async for piece in response.aiter_raw():
                read += piece
                if len(read) >= MOST_WORD_BYTES:
                    break
        text = " ".join(read[:MOST_WORD_BYTES].decode("utf-8", "replace").split())
        return hide(self._order, "".join(filter(str.isprintable, text)))[:MOST_WORDS]

    def fail(self, reply: Reply) -> NoReturn:
        """
        Say what an answer means that is not good.

        Raises:
            Again: It may be another one later.
            EndpointRefused: It will not.
        """
        said = f"{self._order.shown} answers {reply.status}"
        if HTTPStatus(300) <= reply.status < HTTPStatus(400):
            raise EndpointRefused(f"{said}: name the address that it leads to as destination")
        if reply.words:
            said += f": {reply.words}"
        if reply.status >= HTTPStatus(500) or reply.status in _LATER:
            raise Again(said, wait=pause_of(reply.headers.get("Retry-After")))
        raise EndpointRefused(said)
