"""
Which addresses belong to the public internet: the guard of everything that connects to a host
which a user named.

Source:
    IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 6890
"""

from __future__ import annotations

from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

#: Networks that `ipaddress` of some Python version calls global, or that must stay closed whatever
#: it says.
DENIED: Final[tuple[IPv4Network | IPv6Network, ...]] = (
    IPv4Network("0.0.0.0/8"),  # "This network", RFC 791
    IPv4Network("100.64.0.0/10"),  # Carrier NAT, RFC 6598; Alibaba's metadata is 100.100.100.200
    IPv4Network("169.254.0.0/16"),  # Link-local, RFC 3927; cloud metadata is 169.254.169.254
    IPv4Network("192.0.0.0/24"),  # Protocol assignments, RFC 6890; Oracle's metadata in it
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, deprecated, RFC 7526
    IPv4Network("168.63.129.16/32"),  # Azure's host, https://aka.ms/azureipaddress
    IPv6Network("::/96"),  # IPv4-compatible, deprecated, RFC 4291
    IPv6Network("64:ff9b:1::/48"),  # Local-use NAT64, RFC 8215
    IPv6Network("100::/64"),  # Discard only, RFC 6666
    IPv6Network("2001::/23"),  # Protocol assignments, RFC 2928
    IPv6Network("3fff::/20"),  # Documentation, RFC 9637
    IPv6Network("5f00::/16"),  # Segment routing, RFC 9602
    IPv6Network("fc00::/7"),  # Unique local, RFC 4193; Amazon's metadata is fd00:ec2::254
    IPv6Network("fec0::/10"),  # Site-local, deprecated, RFC 3879
)
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE: Final = IPv6Network("::/96")  # RFC 4291


def is_public(address: str | IPv4Address | IPv6Address) -> bool:
    """
    Say whether an address may be connected to on behalf of a stranger.

    An IPv6 address that carries an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo) is as
    public as the latter. What is no address at all is not public.

    Args:
        address: An address, or its text as a resolver gives it; a scope (`%eth0`) is not public.
    """
    try:
        parsed = ip_address(address)
    except (AddressValueError, ValueError):
        return False
    if isinstance(parsed, IPv6Address):
        if parsed.scope_id is not None:
            return False
        embedded = _embedded(parsed)
        if embedded:
            return all(map(_is_open, embedded))
    return _is_open(parsed)


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses within an IPv6 one: of Teredo both the server and the client."""
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in _NAT64 or address in _COMPATIBLE:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    return ()


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in DENIED)
    )
