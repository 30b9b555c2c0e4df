"""What a run is asked to check: a file, a URL, a stored list, or the names themselves."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tasks import load
from tasks.errors import InputError
from tasks.load.containers import open_file, unreadable
from tasks.settings import Settings

#: The format that leaves it to the loader.
DETECT = "detect"
#: As many digits as a database's integer surely holds.
_STORED = re.compile(r"^list:(?P<id>[0-9]{1,18})$")
_URL = re.compile(r"^https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Where the names are, and how they are to be read, as the user said it."""

    #: A path, an http(s) URL or ``list:<id>``.
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
    #: SHA-256 of the content and of how it is read.
    fingerprint: str
    request: Request
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
    if domains:
        fingerprint = _fingerprint(request, domains.encode("utf-8", "surrogatepass"))
        return Source(name="pasted names", fingerprint=fingerprint, request=request)
    if stored := _STORED.match(file):
        fingerprint = _fingerprint(request, file.encode())
        list_id = int(stored["id"])
        return Source(name=file, fingerprint=fingerprint, request=request, list_id=list_id)
    path = _local_file(file, settings, download_folder)
    return Source(
        name=path.name, fingerprint=file_fingerprint(path, request), request=request, path=path
    )


def file_fingerprint(path: Path, request: Request) -> str:
    """
    Return the fingerprint of a file: SHA-256 in hex, by one read from beginning to end.

    Raises:
        LoadError: It cannot be read.
    """
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
    how = f"{request.format}\0{request.column}\0{bool(request.domains)}\0"
    return hashlib.sha256(how.encode() + content).hexdigest()
