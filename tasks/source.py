"""What a run is asked to check: a file, a URL, a stored list, or the names themselves."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from tasks import load
from tasks.errors import InputError
from tasks.load.containers import open_file, unreadable
from tasks.settings import Settings

#: To be counted up when the loader reads some file otherwise than before: then it is another list.
READING = 1
#: The format that leaves it to the loader.
DETECT = "detect"
#: As many digits as a database's integer surely holds.
_STORED = re.compile(r"^list:(?P<id>[0-9]{1,18})$")
#: The name of every list that was pasted.
PASTED = "pasted names"
#: Instead of an id: the newest list that there is.
LATEST = "list:latest"
_URL = re.compile(r"^https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where the names are, and how they are to be read, as the user said it."""

    #: A path, an http(s) URL, ``list:<id>`` or ``list:latest``.
    file: str = ""
    #: The names themselves, instead of a file.
    domains: str = ""
    #: How to read it: a format of the loader, or ``detect``.
    format: str = DETECT
    #: Which column of a table holds the names: its number from 1, or its header; empty: detected.
    column: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A request made ready to be read."""

    #: For people: the file's name.
    name: str
    #: SHA-256 of the content and of how it is read; the same one is the same list.
    fingerprint: str
    #: SHA-256 by which the same request is known again, before a URL is fetched.
    resumed_by: str
    request: Request
    #: Size and time of the file's last change, when its fingerprint was taken.
    stamp: tuple[int, int] | None = None
    #: One of these two is set, but for pasted names.
    path: Path | None = None
    list_id: int | None = None


def find_source(request: Request, settings: Settings, download_folder: Path) -> Source:
    """
    Make the input of a run ready.

    Args:
        request: What the user asked for.
        settings: For what a URL may point at.
        download_folder: Where a URL's content is put; the caller removes it.

    Raises:
        InputError: Neither a file nor names are given, or both.
        LoadError: There is no such file, or it cannot be read.
    """
    file, domains = request.file.strip(), request.domains.strip()
    if bool(file) == bool(domains):
        message = "give either a file (a path, a URL or list:<id>) or the domains themselves"
        raise InputError(message)
    list_id = stored_list(file)
    if domains or list_id is not None:
        digest = request_fingerprint(request)
        name = PASTED if domains else file
        return Source(
            name=name, fingerprint=digest, resumed_by=digest, request=request, list_id=list_id
        )
    path = _local_file(file, settings, download_folder)
    stamp = file_stamp(path)
    digest = _file_fingerprint(path, request)
    resumed_by = request_fingerprint(request) if _URL.match(file) else digest
    return Source(
        name=source_name(file),
        fingerprint=digest,
        resumed_by=resumed_by,
        request=request,
        path=path,
        stamp=stamp,
    )


def request_fingerprint(request: Request) -> str:
    """
    Return the fingerprint by which a request is known again.

    It is of the content of a file on this machine, and of the words of anything else.

    Raises:
        LoadError: The file cannot be read.
    """
    file = request.file.strip()
    if request.domains.strip():
        return _fingerprint(request, request.domains.strip().encode("utf-8", "surrogatepass"))
    if _URL.match(file) or stored_list(file) is not None:
        return _fingerprint(request, file.encode("utf-8", "surrogatepass"))
    return _file_fingerprint(Path(file).expanduser(), request)


def stored_list(file: str) -> int | None:
    """Return the id in ``list:<id>``, and none for anything else."""
    found = _STORED.match(file)
    return int(found["id"]) if found else None


def source_name(file: str) -> str:
    """Return what people call a file or a URL: its last part, and nothing of a URL's query."""
    path = urlsplit(file).path if _URL.match(file) else file
    return PurePath(path).name or "list"


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Return the size and the time of the last change, in bytes and nanoseconds."""
    with suppress(OSError, ValueError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None


def _file_fingerprint(path: Path, request: Request) -> str:
    with open_file(path) as stream:
        try:
            digest = hashlib.file_digest(stream, "sha256").digest()
        except OSError as fault:
            raise unreadable(path, fault) from fault
    return _fingerprint(request, digest)


def _local_file(file: str, settings: Settings, download_folder: Path) -> Path:
    if not _URL.match(file):
        return Path(file).expanduser()
    return load.fetch(
        file,
        download_folder,
        allow_private=settings.allow_private_addresses,
        max_bytes=settings.max_file_bytes,
    )


def _fingerprint(request: Request, content: bytes) -> str:
    how = f"{READING}\0{request.format}\0{request.column}\0{bool(request.domains)}\0"
    return hashlib.sha256(how.encode() + content).hexdigest()
