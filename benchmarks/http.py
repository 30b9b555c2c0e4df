"""
How many pages a second the command `http` reads, beside a bare loop of httpx.

Both read the same page of 10 kB from a web server in another process, as many at once as the
command has under way, over a new connection each: to a checker each domain is another host. The
loop has one `httpx.AsyncClient` with one TLS context for all, keeps no connection, and looks no
name up: it is given the address. The command does all that it does: it asks a name server for A
and AAAA, looks at the addresses, follows redirects, reads the title. `A client each` is the loop as
it is often written, with an `httpx.AsyncClient` for each domain that shares the TLS context.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import trustme

from benchmarks.markdown import show
from commands import execution
from commands.environment import Environment
from commands.http.command import Http
from tests.services.knot import running_knot

NAMES = 5_000
OURS, BARE, EACH = "Rollcall", "httpx", "httpx, a client each"
ROOT = Path(__file__).parents[1]
#: Checks one after the other, names in each, MiB that they may take from the second one on.
MEMORY_ROUNDS, MOST_GROWTH_MIB = 5, 10.0


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--repeat", type=int, default=3)


def main(arguments: argparse.Namespace) -> None:
    """Measure them in turn, without TLS and with it; print the tables."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        certificate = _certificate(folder)
        (folder / "knot").mkdir()
        with running_knot(folder / "knot", ["*. A 127.0.0.1"]) as knot:
            environment = Environment(nameservers=(knot.address,), allow_private_addresses=True)
            with _serving() as port:
                _compare("HTTP", port, environment, arguments)
                _memory(port, environment, arguments.names)
            with _serving(str(certificate)) as port:
                _compare("HTTPS", port, environment, arguments)


def _compare(
    scheme: str, port: int, environment: Environment, arguments: argparse.Namespace
) -> None:
    tls = httpx.create_ssl_context()
    names = [f"name{number}.pages.org" for number in range(arguments.names)]
    url = f"{scheme.lower()}://127.0.0.1:{port}/"
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        OURS: lambda: _ours(scheme.lower(), port, environment, names),
        BARE: lambda: _bare(url, tls, names),
        EACH: lambda: _each(url, tls, names),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.repeat):
        for name, way in ways.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            asyncio.run(_awaited(way))
            rates[name].append(len(names) / (time.perf_counter() - began))
            cpu[name].append((time.process_time() - cpu_began) * 1000 / len(names))
    rows = [
        [name, max(found), statistics.median(found), max(rates[OURS]) / max(found), min(cpu[name])]
        for name, found in rates.items()
    ]
    title = f"{scheme}: {len(names):,} domains, {Http.in_flight} at once, {arguments.repeat} times"
    show(title, ["pages/s", "best", "median", f"{OURS} ÷ this, best", "CPU ms a page, best"], rows)


async def _awaited(way: Callable[[], Awaitable[None]]) -> None:
    await way()


async def _ours(scheme: str, port: int, environment: Environment, names: list[str]) -> None:
    statuses: list[str] = []
    options = {"scheme": scheme, f"{scheme}_port": port}
    async with Http(options, environment) as command:
        await execution.run(command, names, lambda one: statuses.append(one.outcome.status))
    assert statuses == ["ok"] * len(names), set(statuses)


async def _bare(url: str, tls: ssl.SSLContext, names: list[str]) -> None:
    # No limit: the loops below are one.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(verify=tls, limits=limits, trust_env=False) as client:

        async def work(source: Iterator[str]) -> None:
            for name in source:
                await _read(client, url, name)

        await _at_once(work, names)


async def _each(url: str, tls: ssl.SSLContext, names: list[str]) -> None:
    async def work(source: Iterator[str]) -> None:
        for name in source:
            async with httpx.AsyncClient(verify=tls, trust_env=False) as client:
                await _read(client, url, name)

    await _at_once(work, names)


async def _at_once(work: Callable[[Iterator[str]], Awaitable[None]], names: list[str]) -> None:
    source = iter(names)
    await asyncio.gather(*(work(source) for _ in range(Http.in_flight)))


async def _read(client: httpx.AsyncClient, url: str, name: str) -> None:
    answer = await client.get(url, headers={"Host": name}, extensions={"sni_hostname": name})
    assert answer.status_code == 200
    assert len(answer.content) > 10_000


def _memory(port: int, environment: Environment, count: int) -> None:
    """Hold the memory against the number of names, each of them another one."""
    held = []
    for turn in range(MEMORY_ROUNDS):
        names = [f"name{number}.turn{turn}.org" for number in range(count)]
        asyncio.run(_ours("http", port, environment, names))
        held.append(psutil.Process().memory_info().rss / 2**20)
    header = ["resident MiB after", *(f"{count * (turn + 1):,}" for turn in range(MEMORY_ROUNDS))]
    show("Memory by domains checked, a batch each column", header, [[OURS, *held]])
    assert held[-1] - held[1] < MOST_GROWTH_MIB, "memory grows with the number of names"


@contextmanager
def _serving(*arguments: str) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.page_server", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _certificate(folder: Path) -> Path:
    """Write a certificate for all names, by an authority that both trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    os.environ["SSL_CERT_FILE"] = str(folder / "authority.pem")
    leaf = authority.issue_cert("*.pages.org")
    path = folder / "certificate.pem"
    leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path
