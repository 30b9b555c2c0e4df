"""
No name, no redirect and no name server brings a connection to where a stranger has no business.

The victim is a listener on 127.0.0.1. Where a site must be public and reached all the same, the
guard takes 127.0.0.2 for a public address, and nothing else.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import dns.message
import dns.query
import pytest

from commands.addresses import is_public
from commands.http.fetch import SECONDS
from commands.net import guard
from demo.behaviours import Behaviour, answers, then
from demo.script import Script
from tests.commands.stage import Stage, running_stage
from tests.services.web import Listener, page, running_web

PUBLIC, VICTIM = "127.0.0.2", "127.0.0.1"
#: Of the internet, and of nobody: the registry of IPv6 has not given 2d00::/8 to anyone.
NOBODYS = "2d00::1"
#: As records.
PRIVATE = [
    "127.0.0.1", "127.0.0.53", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1",
    "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254",
    "168.63.129.16", "192.0.0.1", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
    "100::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "ff0e::1",
]  # fmt: skip
#: As hosts of URLs: how addresses are written besides, by inet_aton, by browsers and by jokers.
SPELLINGS = [
    "2130706433", "0x7f000001", "017700000001", "127.1", "127.0.1", "0x7f.1", "0177.0.0.1",
    "00127.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]", "localhost", "LOCALHOST", "localhost.", "a.localhost", "ip6-localhost",
    "user@127.0.0.1", "public.org@127.0.0.1", "127.0.0.1%00.public.org", "127。0。0。1",
    "①②⑦.0.0.1", "１２７.0.0.1", "[fe80::1%25lo]", "[::1%25lo]",
]  # fmt: skip


def record(address: str) -> Behaviour:
    """Answer with an address."""
    return answers(AAAA=address) if ":" in address else answers(A=address)


async def sends_away(head: bytes, writer: asyncio.StreamWriter) -> None:
    """Redirect to where the path says, or say hello where there is none."""
    path = head.split(b" ", 2)[1]
    location = bytes.fromhex(path[1:].decode()).decode()
    writer.write(page(302, Location=location) if location else page(200))


def away(location: str) -> str:
    """Write the path that leads there."""
    # A header is bytes; those of the test are UTF-8, as browsers take them.
    return "/" + location.encode().hex()


@pytest.fixture
def victim() -> Iterator[Listener]:
    """Give a listener that nobody may reach; the port is the public server's as well."""
    with running_web(sends_away, host=VICTIM) as running:
        yield running
        assert running.connections == 0


@pytest.fixture
def public(victim: Listener, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Give a server that redirects to wherever it is asked to, at the one public address."""
    monkeypatch.setattr(guard, "is_public", lambda text: text == PUBLIC or is_public(text))
    with running_web(sends_away, host=PUBLIC, port=victim.port) as running:
        yield running


Start = Callable[[dict[str, Behaviour]], Stage]


@pytest.fixture
def start(victim: Listener) -> Iterator[Start]:
    """Give a way to set up the name server, with the victim's port for both schemes."""
    with ExitStack() as stack:
        ports = {"http_port": victim.port, "https_port": victim.port}

        def started(names: dict[str, Behaviour]) -> Stage:
            script = Script({"public.org": answers(A=PUBLIC), **names})
            return stack.enter_context(running_stage(script, private=False, **ports))

        yield started


def test_private_addresses_are_blocked(start: Start) -> None:
    """A name at an address that is not public is blocked, and so is the address for a name."""
    names = {f"n{number}.org": record(address) for number, address in enumerate(PRIVATE)}
    stage = start(names)
    assert set(stage.check(*names).statuses.values()) == {"blocked"}
    literal = [address for address in PRIVATE if ":" not in address]
    assert set(stage.check(*literal).statuses.values()) == {"blocked"}


def test_one_private_address_blocks_all(start: Start) -> None:
    """A host that has good addresses beside a private one, in whatever order, is blocked."""
    names = {
        "first.org": answers(A=(VICTIM, "9.9.9.9")),
        "last.org": answers(A=("9.9.9.9", "8.8.8.8", VICTIM)),
        "other.org": answers(A="9.9.9.9", AAAA="::1"),
        "mapped.org": answers(AAAA=(NOBODYS, "::ffff:127.0.0.1")),
    }
    checked = start(names).check(*names)
    assert checked.statuses == dict.fromkeys(names, "blocked")
    assert VICTIM in str(checked.outcomes["last.org"].error)


def test_redirects_to_private_addresses_are_blocked(
    start: Start, public: Listener, victim: Listener
) -> None:
    """From a public server no redirect leads to a private address, as a name or by itself."""
    names = {f"n{number}.org": record(address) for number, address in enumerate(PRIVATE)}
    stage = start(names)
    literals = [f"[{address}]" if ":" in address else address for address in PRIVATE]
    for host in [*names, *literals]:
        location = f"http://{host}:{victim.port}/"
        outcome = stage.outcome("public.org", scheme="http", path=away(location))
        assert outcome.status == "blocked", (host, outcome)
    assert public.connections == len(names) + len(literals)


@pytest.mark.parametrize("host", SPELLINGS)
def test_other_spellings_lead_nowhere(
    start: Start, public: Listener, victim: Listener, host: str
) -> None:
    """An address or this machine by another spelling is no host, or blocked, or not in DNS."""
    stage = start({})
    location = f"http://{host}:{victim.port}/"
    outcome = stage.outcome("public.org", scheme="http", path=away(location))
    assert outcome.status in {"blocked", "no-address", "redirect"}, outcome
    assert public.connections == 1


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "ws", "unix", "data", "HTTPX"])
def test_other_schemes_are_blocked(
    start: Start, public: Listener, victim: Listener, scheme: str
) -> None:
    """A redirect to another scheme is blocked, whatever host it names."""
    location = f"{scheme}://{VICTIM}:{victim.port}/"
    outcome = start({}).outcome("public.org", scheme="http", path=away(location))
    assert outcome.status == "blocked", outcome
    assert public.connections == 1


def test_other_ports_are_blocked(start: Start, public: Listener, victim: Listener) -> None:
    """A redirect to a port that is not allowed is blocked at the best of hosts."""
    stage = start({})
    for port in (22, 25, 5672, 6379, victim.port + 1, 65_535):
        path = away(f"http://public.org:{port}/")
        assert stage.outcome("public.org", scheme="http", path=path).status == "blocked"
    path = away(f"http://public.org:{victim.port}/")
    # The server takes no path for one that says nothing.
    assert stage.outcome("public.org", scheme="http", path=path).status == "ok"


def rebinds(stage: Stage, name: str) -> bool:
    """Tell whether whoever looks the name up now is led to the victim."""
    query = dns.message.make_query(name, "A")
    reply = dns.query.udp(query, VICTIM, timeout=5, port=stage.nameserver.port)
    return f" {VICTIM}" in str(reply.answer[0])


def test_rebinding_before_the_connection(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up once: that it leads elsewhere when it is connected to is no use."""
    monkeypatch.setitem(SECONDS, "connect", 0.2)
    stage = start({"evil.org": then(record(NOBODYS), record(VICTIM))})
    checked = stage.check("evil.org")
    outcome = checked.outcomes["evil.org"]
    # Nobody is there: what that looks like is up to this machine's network.
    assert outcome.status in {"error", "refused", "timeout"}, outcome
    assert NOBODYS in str(outcome.error)
    # A and AAAA, each once.
    assert checked.asked() == {stage.nameserver.address: 2}
    assert rebinds(stage, "evil.org")


def test_rebinding_between_schemes(start: Start, public: Listener) -> None:
    """Also where HTTP is tried after HTTPS, it is at the addresses that were looked at."""
    stage = start({"evil.org": then(record(PUBLIC), record(VICTIM))})
    outcome = stage.outcome("evil.org", path=away(""), https_port=1)
    assert outcome.status == "ok"
    assert outcome.decided_by == PUBLIC
    assert public.connections == 1
    assert rebinds(stage, "evil.org")


def test_rebinding_between_hops(start: Start, public: Listener, victim: Listener) -> None:
    """A redirect to the same name is looked at again, and blocked where it leads elsewhere now."""
    stage = start({"evil.org": then(record(PUBLIC), record(VICTIM))})
    path = away(f"http://evil.org:{victim.port}{away('')}")
    outcome = stage.outcome("evil.org", scheme="http", path=path)
    assert outcome.status == "blocked"
    assert VICTIM in str(outcome.error)
    assert public.connections == 1


def test_no_proxy_of_the_environment_is_used(
    start: Start, public: Listener, victim: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies are a way round the guard, and are left alone."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{VICTIM}:{victim.port}")
    assert start({}).outcome("public.org", scheme="http", path=away("")).status == "ok"
    assert public.connections == 1


def test_whoever_allows_private_addresses_gets_them(start: Start, victim: Listener) -> None:
    """With the setting the victim is reached: it is the guard that keeps others from it."""
    script = Script({"inside.org": record(VICTIM)})
    with running_stage(script, scheme="http", http_port=victim.port) as stage:
        assert stage.outcome("inside.org", path=away("")).status == "ok"
    assert victim.connections == 1
    victim.connections = 0
