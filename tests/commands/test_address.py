"""The name server setting is understood as people write it, or refused."""

import pytest

from commands.dns.address import host_and_port, name_servers, parse_name_server
from commands.errors import BadNameServer

GOOD = {
    "9.9.9.9": "9.9.9.9:53",
    " 9.9.9.9 ": "9.9.9.9:53",
    "127.0.0.1:5353": "127.0.0.1:5353",
    "127.0.0.1:1": "127.0.0.1:1",
    "127.0.0.1:65535": "127.0.0.1:65535",
    "::1": "[::1]:53",
    "[::1]": "[::1]:53",
    "[::1]:5353": "[::1]:5353",
    "2620:fe::FE": "[2620:fe::fe]:53",
    "2001:0db8:0:0:0:0:0:1": "[2001:db8::1]:53",
    "[2001:db8::1]:5353": "[2001:db8::1]:5353",
    "fe80::1%eth0": "[fe80::1]:53%eth0",
    "[fe80::1%eth0]:5353": "[fe80::1]:5353%eth0",
    "[fe80::1]:5353%eth0": "[fe80::1]:5353%eth0",
}
BAD = [
    "",
    " ",
    "nonsense",
    "dns.example",
    "dns.example:53",
    "1.2.3",
    "1.2.3.4.5",
    "256.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:+53",
    "127.0.0.1: 53",
    "127.0.0.1:5_3",
    "127.0.0.1:٥٣",
    "127.0.0.1:dns",
    "127.0.0.1%eth0",
    "127.0.0.1 8.8.8.8",
    "127.0.0.1,8.8.8.8",
    ":53",
    "[::1",
    "::1]",
    "[::1]:",
    "[::1]53",
    "[::1]:0",
    "[::1]:65536",
    "[::1]:dns",
    "[]:53",
    "[nonsense]:53",
    "2001:db8::1::2",
    "udp://9.9.9.9",
    "9.9.9.9/32",
    "-9.9.9.9",
]


@pytest.mark.parametrize(("written", "meant"), GOOD.items())
def test_a_name_server_is_understood(written: str, meant: str) -> None:
    """However an address is written, there is one form of it, with its port."""
    assert parse_name_server(written) == meant
    assert parse_name_server(meant) == meant


@pytest.mark.parametrize("written", BAD)
def test_what_is_no_name_server_is_refused(written: str) -> None:
    """Anything else is refused in one line that shows it and how to do it right."""
    with pytest.raises(BadNameServer) as caught:
        parse_name_server(written)
    message = str(caught.value)
    assert f"'{written.strip()}'" in message
    assert "ip:port" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("written", "taken_apart"),
    [
        ("9.9.9.9", ("9.9.9.9", "53")),
        ("127.0.0.1:5353", ("127.0.0.1", "5353")),
        ("[2001:db8::1]:5353", ("2001:db8::1", "5353")),
        ("[fe80::1%eth0]:5353", ("fe80::1%eth0", "5353")),
    ],
)
def test_programs_get_host_and_port(written: str, taken_apart: tuple[str, str]) -> None:
    """A program is told the host without brackets, with its scope, and the port beside it."""
    assert host_and_port(parse_name_server(written)) == taken_apart


def test_each_server_is_asked_as_one() -> None:
    """A server that is named twice, in two spellings, is one server; the order stays."""
    assert name_servers(("::1", "9.9.9.9", "[::1]:53", "9.9.9.9:53")) == ("[::1]:53", "9.9.9.9:53")


def test_without_a_setting_the_system_is_asked() -> None:
    """Without a setting there is at least one server, each in the form of all others."""
    servers = name_servers(())
    assert servers
    assert servers == tuple(map(parse_name_server, servers))
