"""A copy of the list of RDAP servers: read from the list itself, or from a file of ours."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What a list said at some time."""

    #: A domain, most often a top-level one, in lower case -> its server's URL with a last slash.
    servers: Mapping[str, str]
    #: By which the list's server knows whether it has changed since.
    tag: str | None
    #: Since it was last known to be right.
    seconds_old: float = 0.0


def parse_list(text: str | bytes) -> Mapping[str, str]:
    """
    Read a list of RDAP servers.

    Raises:
        ValueError: It is none.

    Source:
        RFC 9224, section 3
    """
    try:
        services = json.loads(text)["services"]
        found = {
            str(ending).lower().rstrip("."): _best(urls)
            for endings, urls in services
            for ending in endings
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        message = f"it is no list of RDAP servers ({type(error).__name__})"
        raise ValueError(message) from error
    if not found:
        message = "it lists no RDAP server"
        raise ValueError(message)
    return found


def with_slash(url: str) -> str:
    """Return a server's URL so that a path can be appended."""
    return url if url.endswith("/") else f"{url}/"


def read_copy(path: Path) -> Copy | None:
    """Return the copy in a file; None where there is none that can be read."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        # Its age first: who replaces it meanwhile makes it no older.
        age = time.time() - path.stat().st_mtime
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        servers = {str(ending): str(url) for ending, url in stored["servers"].items()}
        tag = stored["tag"]
        if servers and (tag is None or isinstance(tag, str)):
            return Copy(servers=servers, tag=tag, seconds_old=max(age, 0.0))
    return None


def write_copy(path: Path, copy: Copy) -> None:
    """Keep a copy, whole or not at all; where that is not possible it is not kept."""
    text = json.dumps({"tag": copy.tag, "servers": dict(copy.servers)})
    temporary = path.with_name(f".{uuid4().hex}.part")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _best(urls: list[str]) -> str:
    """Return the URL that is encrypted, if one is."""
    return with_slash(next((url for url in urls if url.startswith("https:")), urls[0]))
