"""Fetch a file of names from an http(s) address, and only from where a stranger may send us."""

from __future__ import annotations

import os
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from commands.addresses import is_public
from tasks.load.errors import AddressInvalid, AddressRefused, FetchFailed, TooLarge
from tasks.load.temporary import room_needed

MAX_REDIRECTS: Final = 5
CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0  #: Between two pieces.
TOTAL_SECONDS: Final = 3600.0  #: For everything: a server must not keep us for ever.
PIECE_BYTES: Final = 64 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(
    rb"[\w.:-]+"
)  #: A name in A-labels or an address; httpx escapes the rest.


class CheckedTransport(httpx.BaseTransport):
    """
    Connects to the very address that was checked, so that a second answer of the name server
    (DNS rebinding) cannot lead elsewhere. The Host header and the name in TLS stay.
    """

    def __init__(self, is_allowed: Callable[[str], bool]) -> None:
        self._is_allowed = is_allowed
        self._inner = httpx.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Resolve once, check every address, connect to the first that answers."""
        host = request.url.host
        port = request.url.port or _PORTS[request.url.scheme]
        addresses = checked_addresses(host, port, self._is_allowed)
        fault: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in addresses:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # Host is among them already.
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return self._inner.handle_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as refused:
                fault = refused
        raise fault or httpx.ConnectError(f"{host} has no address")

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def checked_addresses(host: str, port: int, is_allowed: Callable[[str], bool]) -> list[str]:
    """
    Resolve a host.

    Returns:
        Its addresses in the order of the resolver, each once.

    Raises:
        AddressRefused: One of them is not allowed: a mixed answer is an attack or a mistake.
        FetchFailed: It has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise FetchFailed(f"{host} cannot be found ({fault}): check the address.") from fault
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not all(map(is_allowed, addresses)):
        raise AddressRefused(f"{host} leads to a private network: use an address that is public.")
    return addresses


def fetch(source: str, directory: Path, *, allow_private: bool, max_bytes: int) -> Path:
    """
    Download a file.

    Args:
        source: An http or https URL.
        directory: Where the file goes; the caller removes it.
        allow_private: Also fetch from private and local networks.
        max_bytes: Bound on the download.

    Returns:
        The path of a new file in the directory.

    Raises:
        AddressInvalid, AddressRefused, FetchFailed, TooLarge: As they say.
        TemporaryDirectoryFull: There is no room in the directory.
    """
    is_allowed = (lambda _address: True) if allow_private else is_public
    return fetch_allowed(source, directory, is_allowed=is_allowed, max_bytes=max_bytes)


def fetch_allowed(
    source: str, directory: Path, *, is_allowed: Callable[[str], bool], max_bytes: int
) -> Path:
    """Download a file as `fetch` does, from the addresses that a predicate allows."""
    url = _parsed(source)
    with room_needed(directory):
        handle, name = tempfile.mkstemp(prefix="fetched-", dir=directory)
        os.close(handle)
    path = Path(name)
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    transport = CheckedTransport(is_allowed)
    try:
        with httpx.Client(transport=transport, timeout=timeout, trust_env=False) as client:
            _download(client, url, path, max_bytes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _parsed(source: str) -> httpx.URL:
    try:
        url = httpx.URL(source.strip())
    except (httpx.InvalidURL, UnicodeError, ValueError) as fault:
        raise AddressInvalid("This is no URL: begin with https://.") from fault
    is_host = _HOST.fullmatch(url.raw_host) and 0 < (url.port or 1) < 65_536
    if url.scheme not in _PORTS or not is_host:
        # Without what stands before the host and behind the path: it may be a secret.
        shown = f"{url.scheme}://{url.host}{url.path}"[:200]
        raise AddressInvalid(f"{shown!r} is no web address: begin with https://.")
    return url


def _download(client: httpx.Client, url: httpx.URL, path: Path, max_bytes: int) -> None:
    deadline = time.monotonic() + TOTAL_SECONDS
    for _hop in range(MAX_REDIRECTS + 1):
        with _answer(client, url) as response:
            if response.has_redirect_location:
                url = _parsed(str(url.join(response.headers["location"])))
                continue
            if response.status_code != httpx.codes.OK:
                raise FetchFailed(
                    f"{url.host} answers {response.status_code} {response.reason_phrase}:"
                    " check the address."
                )
            _save(response, path, max_bytes=max_bytes, deadline=deadline)
            return
    raise FetchFailed(f"{url.host} redirects more than {MAX_REDIRECTS} times: check the address.")


@contextmanager
def _answer(client: httpx.Client, url: httpx.URL) -> Iterator[httpx.Response]:
    # The file may be packed itself: what a server packs on the way would hide its size.
    headers = {"Accept-Encoding": "identity", "User-Agent": "rollcall"}
    try:
        with client.stream("GET", url, headers=headers, follow_redirects=False) as response:
            yield response
    except httpx.HTTPError as fault:
        why = str(fault) or type(fault).__name__
        raise FetchFailed(f"{url.host} cannot be read ({why}): try again later.") from fault
    except httpx.InvalidURL as fault:
        raise AddressInvalid(f"{url.host} redirects to what is no address ({fault}).") from fault


def _save(response: httpx.Response, path: Path, *, max_bytes: int, deadline: float) -> None:
    left = max_bytes
    with path.open("wb") as file:
        for piece in response.iter_raw(PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise TooLarge(
                    f"The file at {response.url.host} has more than {max_bytes:,} bytes:"
                    " split it and load the parts."
                )
            if time.monotonic() > deadline:
                raise FetchFailed(f"{response.url.host} is too slow: try again later.")
            with room_needed(path.parent):
                file.write(piece)
