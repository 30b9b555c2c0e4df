"""
Ask for the A record of many names through one c-ares channel, and print how the memory grows.

Reads a name server's `ip:port` and a file of names from the command line; prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from commands.dns.channel import Channel
from commands.dns.resolver import FIRST_PASS, A

IN_FLIGHT = 100


async def ask_all(server: str, names: list[str]) -> tuple[int, list[float]]:
    """Return how many names were answered, and the resident MiB at each tenth of the way."""
    timeout, tries, _ = FIRST_PASS
    channel = Channel(server, timeout_seconds=timeout, tries=tries)
    answered, resident = 0, []
    for tenth in range(10):
        part = iter(names[len(names) * tenth // 10 : len(names) * (tenth + 1) // 10])
        answered += sum(await asyncio.gather(*(_work(channel, part) for _ in range(IN_FLIGHT))))
        resident.append(psutil.Process().memory_info().rss / 2**20)
    channel.close()
    return answered, resident


async def _work(channel: Channel, names: Iterator[str]) -> int:
    heard = 0
    for name in names:
        reply = await channel.query(name, A)
        heard += reply.heard
    return heard


def main() -> None:
    """Ask, and print."""
    server, file = sys.argv[1:]
    names = Path(file).read_text().split()
    answered, resident = asyncio.run(ask_all(server, names))
    print(json.dumps({"answered": answered, "resident_mib": resident}))


if __name__ == "__main__":
    main()
