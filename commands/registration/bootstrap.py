"""
Which RDAP server knows about which top-level domain: IANA's list, kept for a day.

Every batch needs the list, and it changes seldom. So a process downloads it at most once a day;
with a cache folder the processes of a machine share their copy, and then ask only whether it has
changed. Where the download fails, an older copy is good enough.

Source:
    RFC 9224
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from weakref import WeakKeyDictionary

import httpx

from commands.command import MAX_ERROR_LENGTH
from commands.errors import ServersUnknown
from commands.net.fetch import Fetcher, TooLarge
from commands.net.guard import AddressBlocked, NoAddress
from commands.registration.copies import Copy, parse_list, read_copy, write_copy

DEFAULT_URL = "https://data.iana.org/rdap/dns.json"
#: How long a copy is good, in seconds.
DAY = 86_400.0
#: How long an older copy is used before the download is tried again, in seconds.
PATIENCE_SECONDS = 300.0
#: IANA's list has about 100 kB.
MOST_BYTES = 4 << 20
DOWNLOAD_SECONDS = 30.0
#: What a download may end with.
FAILURES = (
    *(httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError),
    *(TooLarge, NoAddress, AddressBlocked),
)


@dataclass(frozen=True, slots=True)
class _Known:
    copy: Copy
    #: By the monotonic clock.
    until: float


#: What this process knows, by the list's URL.
_known: dict[str, _Known] = {}
#: Loop -> URL -> who is about to find out; the others wait for it.
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()


async def rdap_servers(url: str, folder: Path | None, fetcher: Fetcher) -> Mapping[str, str]:
    """
    Return the servers of a list: domain -> URL.

    Args:
        url: Where the list is.
        folder: Where copies are kept; None for nowhere.
        fetcher: Open.

    Raises:
        ServersUnknown: The list cannot be had, and there is no copy of it.
    """
    lock = _locks.setdefault(asyncio.get_running_loop(), {}).setdefault(url, asyncio.Lock())
    async with lock:
        known = _known.get(url)
        if known is None or known.until <= time.monotonic():
            known = _known[url] = await _renewed(url, folder, fetcher, known)
        return known.copy.servers


def server_of(servers: Mapping[str, str], name: str) -> str | None:
    """Return the URL of the server of the longest listed domain that a name lies in."""
    labels = name.split(".")
    endings = (".".join(labels[first:]) for first in range(len(labels)))
    return next((servers[ending] for ending in endings if ending in servers), None)


def forget() -> None:
    """Forget what this process knows, as a new process would."""
    _known.clear()


async def _renewed(url: str, folder: Path | None, fetcher: Fetcher, known: _Known | None) -> _Known:
    path = None if folder is None else folder / f"rdap-{_digest(url)}.json"
    kept = await asyncio.to_thread(read_copy, path) if path else None
    held = kept or (known.copy if known else None)
    if kept and kept.seconds_old < DAY:
        return _Known(kept, time.monotonic() + DAY - kept.seconds_old)
    try:
        newest = await _download(url, fetcher, held)
    except FAILURES as error:
        if held is None:
            raise _unknown(url, error) from error
        return _Known(held, time.monotonic() + PATIENCE_SECONDS)
    if path:
        await asyncio.to_thread(write_copy, path, newest)
    return _Known(newest, time.monotonic() + DAY)


async def _download(url: str, fetcher: Fetcher, held: Copy | None) -> Copy:
    """Return the list as it is now; without its text, if the server says that it is the same."""
    headers = {"If-None-Match": held.tag} if held and held.tag else {}
    fetched = await fetcher.get(
        httpx.URL(url), headers=headers, most_bytes=MOST_BYTES, seconds=DOWNLOAD_SECONDS
    )
    if fetched.status == HTTPStatus.NOT_MODIFIED and held:
        return replace(held, seconds_old=0.0)
    if fetched.status != HTTPStatus.OK:
        message = f"its server says HTTP {fetched.status}"
        raise ValueError(message)
    return Copy(servers=parse_list(fetched.body), tag=fetched.headers.get("etag"))


def _unknown(url: str, error: Exception) -> ServersUnknown:
    reason = str(error)[:MAX_ERROR_LENGTH] or type(error).__name__
    return ServersUnknown(
        f"the list of RDAP servers {url} cannot be had: {reason}; "
        "set the option 'bootstrap' to one that can, or 'server' to an RDAP server"
    )


def _digest(url: str) -> str:
    return blake2b(url.encode(), digest_size=8).hexdigest()
