from ipaddress import ip_address

import pytest

from commands.addresses import is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1",
        "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254",
        "168.63.129.16", "192.0.0.1", "192.0.0.8", "192.0.0.192", "192.0.2.1", "198.51.100.1",
        "203.0.113.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::8.8.8.8.", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1",
        "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1",
        "2001:0:7f00:1::", "2001:0:808:808::80ff:fffe", "2001:10::1", "100::1", "3fff::1",
        "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "5f00::1",
        "ff02::1", "ff0e::1", "2606:4700::1%eth0", "4000::1",
        "", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "example.com", "[::1]",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    """Nothing of this machine, of a private network, or of a cloud's inside is ever public."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "9.9.9.9", "100.63.255.255", "100.128.0.1", "172.32.0.1",
        "192.0.1.1", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1",
        "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
        "2001:0:808:808::f7f7:f7f7",
    ],
)  # fmt: skip
def test_public(address: str) -> None:
    """Addresses of the internet are public, also where an IPv6 address carries them."""
    assert is_public(address)
    assert is_public(ip_address(address))
