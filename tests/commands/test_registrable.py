import pytest

from commands.registrable import registrable_domain


@pytest.mark.parametrize(
    ("name", "registrable"),
    [
        ("example.com", "example.com"),
        ("www.a.example.co.uk", "example.co.uk"),
        ("co.uk", None),
        ("com", None),
        ("www.city.kawasaki.jp", "city.kawasaki.jp"),
        ("a.b.kobe.jp", "a.b.kobe.jp"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("shop.xn--55qx5d.cn", "shop.xn--55qx5d.cn"),
        ("a.user.github.io", "user.github.io"),
        ("a.b.no-such-tld", "b.no-such-tld"),
    ],
)
def test_registrable_domain(name: str, registrable: str | None) -> None:
    """The Public Suffix List decides what somebody registered: rules, wildcards, exceptions."""
    assert registrable_domain(name) == registrable
