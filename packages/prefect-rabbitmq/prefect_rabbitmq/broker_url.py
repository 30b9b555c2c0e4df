"""
AMQP URLs: ``amqp://user:password@host:5672/virtual%20host?heartbeat=30``.

Several brokers of a cluster are separated by commas, as whole URLs or as hosts within one. No error
here repeats any part of a URL that may be a password, broken as the URL may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pika

from prefect_rabbitmq.errors import BadCredentials

PORT, TLS_PORT = 5672, 5671
#: What may stand behind the question mark: pika's names, in seconds where they are times.
OPTIONS: dict[str, type] = {
    "blocked_connection_timeout": float,
    "channel_max": int,
    "frame_max": int,
    "heartbeat": int,
    "socket_timeout": float,
    "stack_timeout": float,
}
#: A comma before a scheme begins another URL.
NEXT_URL = re.compile(r",\s*(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One host of a URL. What the URL leaves out is None."""

    host: str
    port: int | None = None
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    virtual_host: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def parse(url: str) -> list[Broker]:
    """
    Read a URL, or several.

    Raises:
        BadCredentials: It is not one that a broker could be reached by.
    """
    return [broker for part in NEXT_URL.split(url.strip()) for broker in _brokers(part)]


def _brokers(url: str) -> Iterator[Broker]:
    parts = _split(url)
    if parts is None:
        raise BadCredentials(
            "this is no AMQP URL (amqp://user:password@host:5672/virtual_host); percent-encode "
            "what is neither letter nor digit in the user's name and password"
        )
    if parts.scheme not in {"amqp", "amqps"}:
        # A scheme holds no password; without "://" it may be anything.
        found = f"; {parts.scheme}:// is unknown" if "://" in url else ""
        raise BadCredentials(f"an AMQP URL begins with amqp:// or amqps://{found}")
    user, at, hosts = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    for host in hosts.split(","):
        yield Broker(
            **_host_and_port(host),
            tls=parts.scheme == "amqps",
            username=unquote(name) if at else None,
            password=unquote(password) if colon else None,
            # As Celery's users write it, `//` is the virtual host named `/`.
            virtual_host=unquote(parts.path[1:]) or None,
            options=_options(parts.query),
        )


def _split(url: str) -> SplitResult | None:
    """Split a URL; None if a password that is not encoded may have been cut by it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    is_cut = "@" in parts.path + parts.query or "/" in parts.path[1:].removeprefix("/")
    return None if is_cut or "#" in url or re.search(r"\s", url) else parts


def _host_and_port(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]*))(?::(\d{1,5}))?", text, re.IGNORECASE)
    if found is None:
        raise BadCredentials("the URL's host and port are not of the form host:5672")
    v6, name, port = found.groups()
    host = v6 or name
    if not host:
        raise BadCredentials("the URL names no host")
    if port and not 0 < int(port) < 65536:
        raise BadCredentials("the URL's port is not between 1 and 65535")
    return {"host": host, "port": int(port) if port else None}


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        try:
            options[name] = OPTIONS[name](value)
            pika.ConnectionParameters(**{name: options[name]})
        except (KeyError, ValueError):
            # The text is left out: it could belong to a password.
            break
    else:
        return options
    raise BadCredentials(f"behind the URL's ? may stand {', '.join(OPTIONS)}, each with a number")
