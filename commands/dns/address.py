"""The name server setting: which servers are asked."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

import pycares

from commands.errors import BadNameServer

DEFAULT_PORT = 53
_BRACKETED = re.compile(r"\[(?P<ip>[^\]]+)\](?::(?P<port>\d+))?")
#: The interface of a link-local IPv6 address. c-ares prints it behind the port.
_SCOPE = re.compile(r"%[\w.-]+")


def parse_name_server(text: str) -> str:
    """
    Return a name server's address as c-ares wants it: ``ip:port``, IPv6 in brackets.

    Args:
        text: ``ip``, ``ip:port``, ``[ipv6]`` or ``[ipv6]:port``; with the interface of a link-local
            address, as in ``fe80::1%eth0``, ``[fe80::1%eth0]:53`` or ``[fe80::1]:53%eth0``.

    Raises:
        BadNameServer: It is none of these.
    """
    text = text.strip()
    scope = _SCOPE.search(text)
    address, port = _address_and_port(_SCOPE.sub("", text, count=1))
    if address is None or not 0 < port < 65536 or (scope and address.version == 4):
        message = f"'{text}' is no name server: write ip or ip:port, e.g. 9.9.9.9 or 127.0.0.1:5353"
        raise BadNameServer(message)
    if address.version == 4:
        return f"{address}:{port}"
    return f"[{address}]:{port}{scope[0] if scope else ''}"


def _address_and_port(text: str) -> tuple[IPv4Address | IPv6Address | None, int]:
    host, port = text, str(DEFAULT_PORT)
    if match := _BRACKETED.fullmatch(text):
        host, port = match["ip"], match["port"] or port
    elif text.count(":") == 1:
        host, port = text.split(":")
    if not (port.isascii() and port.isdecimal()):
        return None, 0
    try:
        return ip_address(host), int(port)
    except ValueError:
        return None, 0


def host_and_port(server: str) -> tuple[str, str]:
    """Take apart what `parse_name_server` gave, for a program: no brackets, scope with the host."""
    host, _, port = server.rpartition(":")
    port, percent, scope = port.partition("%")
    return f"{host.strip('[]')}{percent}{scope}", port


def name_servers(configured: tuple[str, ...]) -> tuple[str, ...]:
    """Return the configured name servers, or the system's where none is, each ``ip:port``."""
    if configured:
        return tuple(dict.fromkeys(parse_name_server(text) for text in configured))
    # Without a callback it would start a thread, to watch its sockets and /etc/resolv.conf.
    channel = pycares.Channel(sock_state_cb=_ignore)
    try:
        return tuple(dict.fromkeys(parse_name_server(s) for s in channel.servers if s))
    finally:
        channel.close()


def _ignore(_descriptor: int, _readable: bool, _writable: bool) -> None:  # noqa: FBT001 - c-ares calls it
    """Do nothing: no question is asked over this channel."""
