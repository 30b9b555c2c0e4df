"""
To which addresses of a host a command may connect.

A stranger owns the list of names and the zones behind them. So a host is resolved once, here, by
the configured name servers; every address that they give is looked at; and the command connects to
the very address that was looked at, never to the name. Resolving again for the connection would
let a name server answer with another address the second time (DNS rebinding).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Self

from commands.addresses import is_public
from commands.dns.channel import Reply
from commands.dns.resolver import AAAA, A, Resolver
from commands.environment import Environment


class NoAddress(Exception):
    """A host has no address; `status` is one of `host`."""

    def __init__(self, host: str, status: str) -> None:
        super().__init__(f"{host} has no address ({status})")
        self.status = status


class AddressBlocked(Exception):
    """A host has an address that may not be connected to on behalf of a stranger."""


class Guard:
    """Finds the addresses of hosts; one for a batch, opened and closed with it."""

    def __init__(self, environment: Environment) -> None:
        """Take the settings; `open` does the work."""
        self._resolver = Resolver(environment)
        self._anything = environment.allow_private_addresses

    async def open(self) -> Self:
        """
        Open the way to the name servers.

        Raises:
            BadNameServer: The setting is wrong.
            NoNameServerAnswers: None of them answers.
        """
        await self._resolver.open()
        return self

    def close(self) -> None:
        """Close it."""
        self._resolver.close()

    def counters(self) -> Mapping[str, int]:
        """Return the questions by name server and what came of them."""
        return self._resolver.counters()

    async def addresses(self, host: str) -> tuple[str, ...]:
        """
        Return the addresses of a host that may be connected to, IPv4 first.

        Args:
            host: A name, taken as absolute, or an IP address; IPv6 without brackets.

        Raises:
            NoAddress: It has none, or nobody says.
            AddressBlocked: One of them is not public: the others are not to be trusted either.
        """
        found = (host,) if _is_address(host) else await self._resolved(host)
        blocked = [text for text in found if not (self._anything or is_public(text))]
        if blocked:
            raise AddressBlocked(
                f"{host} is at {blocked[0]}, which is not public; "
                "ROLLCALL_ALLOW_PRIVATE_ADDRESSES=1 allows it"
            )
        return found

    async def _resolved(self, host: str) -> tuple[str, ...]:
        a, aaaa = await asyncio.gather(self._resolver.ask(host, A), self._resolver.ask(host, AAAA))
        found = (*_texts(a, A), *_texts(aaaa, AAAA))
        if not found:
            # An answer to one question with nothing in it does not hide that the other failed.
            unsure = [r.status for r in (a, aaaa) if r.status not in {"ok", "nodata", "nxdomain"}]
            status = "nxdomain" if a.status == "nxdomain" else "nodata"
            raise NoAddress(host, unsure[0] if unsure else status)
        return found


def _is_address(host: str) -> bool:
    # Only what is strictly an address. Other spellings of one (2130706433, 0x7f.1) are names here,
    # and no name server has them.
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _texts(reply: Reply, record_type: int) -> tuple[str, ...]:
    return tuple(record.data.addr for record in reply.records if record.type == record_type)
