"""`tls` says what stands in the way, and connects nowhere that it may not."""

import asyncio
import gc
import socket
from asyncio.sslproto import SSLProtocol
from functools import partial
from pathlib import Path

import pytest

from commands.environment import Environment
from commands.loop import submit
from commands.net.connect import connect
from demo.nameserver import NameServer
from tests.commands.checking import check
from tests.commands.test_leaks import in_use, settles
from tests.commands.tls.servers import CASES, HOST, Authorities, look, serving
from tests.services import listening
from tests.services.listening import Client, Listener
from tests.services.processes import free_port


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a handshake, and never come to its end."""
    await reader.read(1)
    writer.write(b"\x16\x03\x03\x40\x00")
    while True:
        writer.write(b"\x02")
        await writer.drain()
        await asyncio.sleep(0.02)


#: What a server does with each connection -> status, part of the error, how often it is tried.
EVIL: dict[str, tuple[Client, str, str, int]] = {
    "web": (listening.says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no-tls", "wrong version", 1),
    "mail": (listening.says(b"220 mail.example.com ESMTP\r\n"), "no-tls", "wrong version", 1),
    "noise": (listening.says(bytes(range(256)) * 400), "no-tls", "no TLS: ", 1),
    "alert": (listening.says(b"\x15\x03\x03\x00\x02\x02\x28"), "no-tls", "handshake failure", 1),
    "hangs up": (listening.closes, "error", "closed before", 3),
    "resets": (listening.resets, "error", "closed before", 3),
    "silent": (listening.silent, "timeout", "no answer in time", 1),
    "drips": (drips, "timeout", "no answer in time", 1),
}


@pytest.mark.parametrize("kind", EVIL)
def test_evil_servers(environment: Environment, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What is no TLS is called so, and who hangs up is tried again."""
    client, status, error, tries = EVIL[kind]
    if status == "timeout":
        monkeypatch.setattr("commands.tls.WAIT_SECONDS", 0.5)
    with listening.listening(client) as server:
        outcome = look(environment, server.port)
        assert server.connections == tries
    assert outcome.status == status
    assert error in (outcome.error or "")
    assert outcome.answer is None


def test_a_closed_port(environment: Environment) -> None:
    """Nothing that listens is a refusal."""
    outcome = look(environment, free_port())
    assert (outcome.status, outcome.error) == ("refused", "Connection refused")


def test_a_host_that_takes_no_connection(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is neither taken nor refused is out of time."""
    monkeypatch.setattr("commands.tls.WAIT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        outcome = look(environment, server.getsockname()[1])
        for one in waiting:
            one.close()
    assert (outcome.status, outcome.error) == ("timeout", "no answer in time")


def test_the_next_address_is_tried(bystander: Listener) -> None:
    """Where one address does not connect the next one may, but only the first three are tried."""

    async def connected_to(*addresses: str) -> str:
        opened, address = await connect(addresses, bystander.port, timeout_seconds=5)
        opened.close()
        return address

    closed = [f"127.0.0.{host}" for host in range(2, 5)]
    assert submit(connected_to(*closed[1:], "127.0.0.1")).result() == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError, match=closed[0]):
        submit(connected_to(*closed, "127.0.0.1")).result()


def test_names_without_an_address(environment: Environment) -> None:
    """That there is no address is said only where a name server has said so."""
    expected = {
        "nowhere.org": "no-address",
        "nodata.example.com": "no-address",
        "servfail.example.com": "error",
        "refused.example.com": "error",
        "silent.example.com": "timeout",
    }
    checked = check(expected, environment, command="tls")
    assert checked.statuses == expected
    assert "servfail" in (checked.outcomes["servfail.example.com"].error or "")


@pytest.mark.parametrize(
    "payload",
    ["", ".", "a b.com", "a\0b.com", "bücher.de", "a..com", ".com", "a/b.com", f"{'a' * 64}.com"],
)
def test_what_is_no_host_name(environment: Environment, payload: str) -> None:
    """A payload that cannot be a host name is refused, and nobody is asked for it."""
    outcome = look(environment, 1, payload)
    assert outcome.status == "error"
    assert "is no host name" in (outcome.error or "")


@pytest.mark.parametrize(
    "host", [HOST, "mixed.example.com", "mixed6.example.com", "127.0.0.1", "::1"]
)
def test_nobody_connects_to_this_machine(
    nameserver: NameServer, bystander: Listener, host: str
) -> None:
    """A name of a private address, also beside a public one, leads nowhere."""
    environment = Environment(nameservers=(nameserver.address,))
    outcome = look(environment, bystander.port, host)
    assert (outcome.status, bystander.connections) == ("blocked", 0)
    assert "not public" in (outcome.error or "")


def test_nothing_is_left_open(
    authorities: Authorities, ca_file: Path, environment: Environment
) -> None:
    """After 20 batches there are no more threads and open files than before."""
    with (
        serving(CASES["good"].chain(authorities)) as good,
        serving(CASES["expired"].chain(authorities)) as expired,
        listening.listening(listening.says(b"220 hello\r\n")) as no_tls,
    ):
        batch = partial(look, environment, ca_file=str(ca_file))
        batch(good.port)
        before = in_use()
        for server in [good, expired, no_tls, good, expired] * 4:
            batch(server.port)
        assert settles(before), (before, in_use())


@pytest.mark.parametrize("kind", ["web", "resets", "silent", "expired"])
def test_failures_leave_no_garbage(
    authorities: Authorities,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """What a failed handshake held, a quarter of a megabyte, waits for no garbage collector."""
    monkeypatch.setattr("commands.tls.WAIT_SECONDS", 0.3)
    client = EVIL[kind][0] if kind in EVIL else listening.silent
    context = None if kind in EVIL else CASES[kind].chain(authorities).context()
    gc.collect()
    gc.disable()
    try:
        with listening.listening(client, context=context) as server:
            names = [f"{n}.example.com" for n in range(5)]
            check(names, environment, command="tls", options={"port": server.port})
        kept = [one for one in gc.get_objects() if type(one) is SSLProtocol]
    finally:
        gc.enable()
    assert [one for one in kept if not one._server_side] == []
