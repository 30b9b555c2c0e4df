"""
An upload that goes on where it was cut off: the tus protocol 1.0, with its creation extension.

Source:
    https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import httpx

from commands.cron_frame.endpoint import TYPES, Again, Endpoint, Reply
from commands.cron_frame.errors import EndpointRefused
from commands.cron_frame.exported import Folder, Note
from commands.cron_frame.reading import Order
from commands.cron_frame.thread import ExportThread

VERSION = {"Tus-Resumable": "1.0.0"}
#: The server does not know the upload any more: it begins anew.
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.FORBIDDEN}
#: Another offset than the server's, or another request for the same upload is under way.
_CONFLICT = {HTTPStatus.CONFLICT, HTTPStatus.LOCKED}


class Tus:
    """The upload of one export; its address is noted, for whoever goes on after us."""

    def __init__(
        self, order: Order, endpoint: Endpoint, folder: Folder, note: Note, thread: ExportThread
    ) -> None:
        """Take what is uploaded, and what is known of an upload that was begun."""
        self._order = order
        self._endpoint = endpoint
        self._folder = folder
        self._note = note
        self._thread = thread
        #: Bytes that the server is known to have.
        self.offset = 0

    async def attempt(self) -> None:
        """Upload what the server does not have; raises what any request may raise."""
        self.offset = await self._found()
        while self.offset < self._note.bytes:
            reply = await self._endpoint.ask(
                "PATCH",
                self._address(str(self._note.upload)),
                {
                    **VERSION,
                    "Upload-Offset": str(self.offset),
                    "Content-Type": "application/offset+octet-stream",
                },
                path=self._folder.export,
                offset=self.offset,
            )
            if reply.status in _CONFLICT:
                raise Again(
                    f"{self._order.shown} answers {reply.status}: it has other bytes by now"
                )
            if not reply.good:
                await self._lost(reply)
            offset = self._offset_of(reply)
            if offset <= self.offset:
                raise Again(f"{self._order.shown} took nothing of what was sent")
            self.offset = offset

    async def _found(self) -> int:
        """Return how many bytes the server has; begin an upload if there is none."""
        if self._note.upload is not None:
            reply = await self._endpoint.ask("HEAD", self._address(self._note.upload), VERSION)
            if reply.good:
                return self._offset_of(reply)
            if reply.status not in _GONE:
                self._endpoint.fail(reply)
        await self._begin()
        return 0

    async def _begin(self) -> None:
        name = f"frame-{self._order.number}.{self._order.frame.format}"
        about = {"filename": name, "filetype": TYPES[self._order.frame.format]}
        metadata = (
            f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in about.items()
        )
        headers = {
            **VERSION,
            "Upload-Length": str(self._note.bytes),
            "Upload-Metadata": ",".join(metadata),
            "Idempotency-Key": self._note.key(self._order.number),
        }
        reply = await self._endpoint.ask("POST", self._endpoint.url, headers)
        if not reply.good:
            self._endpoint.fail(reply)
        location = reply.headers.get("Location")
        if not location:
            raise EndpointRefused(f"{self._order.shown} speaks no tus: it answers without Location")
        await self._remember(str(self._address(location)))

    async def _lost(self, reply: Reply) -> None:
        """Say what a refused PATCH means; an upload that is gone is forgotten."""
        if reply.status in _GONE:
            await self._remember(None)
            raise Again(f"{self._order.shown} does not know the upload any more")
        self._endpoint.fail(reply)

    async def _remember(self, upload: str | None) -> None:
        self._note = replace(self._note, upload=upload)
        await self._thread.run(partial(self._folder.write, self._note))

    def _address(self, location: str) -> httpx.URL:
        """Return an upload's address; it must be where the headers with our password belong."""
        try:
            url = self._endpoint.url.join(location)
        except httpx.InvalidURL as error:
            raise EndpointRefused(f"{self._order.shown} gives an address that is none") from error
        own = self._endpoint.url
        if (url.scheme, url.host, url.port) != (own.scheme, own.host, own.port):
            raise EndpointRefused(
                f"{self._order.shown} sends the upload to {url.scheme}://{url.netloc.decode()}: "
                "name that server as destination"
            )
        return url

    def _offset_of(self, reply: Reply) -> int:
        written = reply.headers.get("Upload-Offset", "")
        if not written.isdecimal() or int(written) > self._note.bytes:
            raise EndpointRefused(
                f"{self._order.shown} speaks no tus 1.0: Upload-Offset is {written[:20]!r}"
            )
        return int(written)
