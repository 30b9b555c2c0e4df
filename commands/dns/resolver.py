"""The name servers of one batch: which of them is asked, and what each of them did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Self
from zlib import crc32

import pycares

from commands.dns.address import name_servers
from commands.dns.channel import Channel, Reply
from commands.dns.pace import Pace, shared_pace
from commands.dns.probe import answering
from commands.environment import Environment

#: Seconds of the first try, tries, and seconds in all. c-ares takes these until it knows a server's
#: pace; then the first try waits 0.25 s or little more, which is too short for a slow name ...
FIRST_PASS = (1.0, 2, None)
#: ... hence the late pass, which asks often enough to wait at least four seconds in any case.
SECOND_PASS = (0.5, 5, 7.5)


class Resolver:
    """
    Asks the name servers, one question to one server.

    A name goes to the server that its hash points at, and in the second pass to the next one, so
    that one broken server cannot fail a name for good while another one answers.
    """

    def __init__(self, environment: Environment) -> None:
        """Take the settings; `open` does the work."""
        self._environment = environment
        self._channels: tuple[Channel, ...] = ()
        self._paces: dict[str, Pace] = {}
        self._asked: Counter[tuple[str, str]] = Counter()

    async def open(self) -> Self:
        """
        Find the servers that answer, and open a channel to each.

        Raises:
            BadNameServer: The setting is wrong.
            NoNameServerAnswers: None of them answers.
        """
        # The second pass is final, so it believes in no server that it has not heard just now.
        configured = name_servers(self._environment.nameservers)
        servers = await answering(configured, anew=self._environment.second_pass)
        timeout, tries, limit = SECOND_PASS if self._environment.second_pass else FIRST_PASS
        self._channels = tuple(
            Channel(server, timeout_seconds=timeout, tries=tries, limit_seconds=limit)
            for server in servers
        )
        bounds = self._environment.dns_in_flight, self._environment.dns_queries_per_second
        self._paces = {server: shared_pace(server, *bounds) for server in servers}
        return self

    def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            channel.close()

    async def ask(self, name: str, record_type: int, *, on_behalf_of: str | None = None) -> Reply:
        """
        Ask the name's server one question, at the server's pace, and count what it did.

        Args:
            name: What is asked.
            record_type: As c-ares numbers it.
            on_behalf_of: The name whose server is asked, where that is another one. All questions
                for one name go to one server: were they spread, a broken server would get one of
                them in either pass.
        """
        channel = self._channel_of(on_behalf_of or name)
        async with self._paces[channel.server]:
            reply = await channel.query(name, record_type)
        self._asked[channel.server, _account(reply)] += 1
        return reply

    def counters(self) -> Mapping[str, int]:
        """Return the questions by server and account, ``ip:port account`` -> how many."""
        return {f"{server} {account}": n for (server, account), n in self._asked.items()}

    def _channel_of(self, name: str) -> Channel:
        turn = crc32(name.encode()) + self._environment.second_pass
        return self._channels[turn % len(self._channels)]


def _account(reply: Reply) -> str:
    return "answered" if reply.status in {"ok", "nodata", "nxdomain"} else reply.status


A = pycares.QUERY_TYPE_A
AAAA = pycares.QUERY_TYPE_AAAA
MX = pycares.QUERY_TYPE_MX
NS = pycares.QUERY_TYPE_NS
TXT = pycares.QUERY_TYPE_TXT
