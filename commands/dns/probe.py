"""Which name servers are there at all: asked before a batch, so that an outage is no verdict."""

from __future__ import annotations

import asyncio
import time

import pycares

from commands.dns.channel import Channel
from commands.errors import NoNameServerAnswers

#: Seconds for which a probe's finding is taken for true.
KEEP_SECONDS = 30.0
#: Two tries of which the first waits this long, in seconds.
TIMEOUT_SECONDS = 1.0
TRIES = 2

_found: dict[tuple[str, ...], tuple[float, tuple[str, ...]]] = {}


async def answering(servers: tuple[str, ...], *, anew: bool = False) -> tuple[str, ...]:
    """
    Return those of the name servers that answer; any answer counts, also a refusal.

    Raises:
        NoNameServerAnswers: None does.
    """
    asked_at, found = _found.get(servers, (-KEEP_SECONDS, ()))
    if not anew and time.monotonic() - asked_at < KEEP_SECONDS:
        return found
    replies = await asyncio.gather(*(_answers(server) for server in servers))
    found = tuple(server for server, alive in zip(servers, replies, strict=True) if alive)
    if not found:
        names = ", ".join(servers) or "none configured"
        message = (
            f"no name server answers (asked: {names}); "
            "name one that does in ROLLCALL_NAMESERVERS=ip or ip:port, comma-separated"
        )
        raise NoNameServerAnswers(message)
    _found[servers] = (time.monotonic(), found)
    return found


async def _answers(server: str) -> bool:
    channel = Channel(server, timeout_seconds=TIMEOUT_SECONDS, tries=TRIES)
    try:
        # The root's name servers: every server has a reply to that, if only a refusal.
        reply = await channel.query(".", pycares.QUERY_TYPE_NS)
    finally:
        channel.close()
    return reply.heard
