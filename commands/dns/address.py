"""The name server setting: which servers are asked."""

from __future__ import annotations

import re
from ipaddress import ip_address

import pycares

from commands.errors import BadNameServer

DEFAULT_PORT = 53
_BRACKETED = re.compile(r"^\[(?P<ip>[^\]]+)\](?::(?P<port>\d+))?$")


def parse_name_server(text: str) -> str:
    """
    Return a name server's address as c-ares wants it: ``ip:port``, IPv6 in brackets.

    Args:
        text: ``ip``, ``ip:port``, ``[ipv6]`` or ``[ipv6]:port``.

    Raises:
        BadNameServer: It is none of these.
    """
    text = text.strip()
    match = _BRACKETED.match(text)
    if match:
        host, port = match["ip"], match["port"]
    elif text.count(":") == 1:
        host, port = text.split(":")
    else:
        host, port = text, None
    try:
        address = ip_address(host)
        number = int(port) if port else DEFAULT_PORT
    except ValueError:
        address, number = None, 0
    if address is None or not 0 < number < 65536:
        message = f"'{text}' is no name server: write ip or ip:port, e.g. 9.9.9.9 or 127.0.0.1:5353"
        raise BadNameServer(message)
    return f"[{address}]:{number}" if address.version == 6 else f"{address}:{number}"


def name_servers(configured: tuple[str, ...]) -> tuple[str, ...]:
    """Return the configured name servers, or the system's where none is, each ``ip:port``."""
    if configured:
        return tuple(dict.fromkeys(parse_name_server(text) for text in configured))
    channel = pycares.Channel()
    try:
        return tuple(dict.fromkeys(parse_name_server(_unscoped(s)) for s in channel.servers))
    finally:
        channel.close()


def _unscoped(server: str) -> str:
    """Drop the scope of a link-local IPv6 server, which c-ares prints and `ip_address` keeps."""
    return re.sub(r"%[^\]:]+", "", server)
