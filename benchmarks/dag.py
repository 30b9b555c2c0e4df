"""
A DAG of checks end to end: `host`, then `http` for what resolves, then `tls` for what is there.

On RabbitMQ, PostgreSQL, workers, a Prefect server, knot, and web servers on loopback addresses. Of
the names a quarter does not exist, a fifth has a page, and a twenty-fifth a certificate: good,
expired, for another name, or signed by itself. Every status of every check is held against the
truth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import NullPool, create_engine

from benchmarks.extras import with_repository
from benchmarks.markdown import show
from benchmarks.names import generate
from benchmarks.recorded import assert_settled
from benchmarks.rig import running_rig, running_services
from benchmarks.usage import Usage, watched
from benchmarks.web import HTTP_ONLY, NOBODY, TLS_ADDRESSES
from tests.services.knot import running_knot, write_zone
from tests.services.processes import running, wait_until

NAMES = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Names, and everything that answers for them."""

    #: `ip:port`.
    nameserver: str
    file: Path
    checks: list[Any]
    #: (name, check) -> status.
    truth: Mapping[tuple[str, str], str]


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--workers", type=int, default=2)


def main(arguments: argparse.Namespace) -> None:
    """Run the DAG once, and print."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("world", "server", "rig"):
            (folder / name).mkdir()
        world = stack.enter_context(_world(generate(arguments.names), folder / "world"))
        services = stack.enter_context(running_services(folder / "server"))
        settings = {"ROLLCALL_ALLOW_PRIVATE_ADDRESSES": "1"}
        rig = stack.enter_context(
            running_rig(
                services,
                world.nameserver,
                folder / "rig",
                workers=arguments.workers,
                **settings,
            )
        )
        with watched() as usage:
            check = rig.start(world.file, checks=world.checks)
            flow_run = check.wait()
            wall = time.time() - check.began
        assert_settled(rig.prefect, flow_run)
        counts = _assert_true(rig.database, world.truth)
    _show(arguments, counts, wall, usage)


@contextmanager
def _world(names: Sequence[str], folder: Path) -> Iterator[World]:
    addresses = _addresses(names)
    kinds = {address: kind for kind, address in TLS_ADDRESSES.items()}
    certified: dict[str, list[str]] = {kind: [] for kind in TLS_ADDRESSES}
    for name, address in addresses.items():
        if address in kinds:
            certified[kinds[address]].append(name)
    (folder / "names.json").write_text(json.dumps(certified))
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    hosts: dict[str, str] = {}

    def write(path: Path) -> None:
        records = {name: f"A {address}" for name, address in addresses.items()}
        hosts.update(write_zone(path, names, record=records.get))

    command = [sys.executable, "-m", "benchmarks.web", str(folder)]
    environment = with_repository({})
    with (
        running_knot(folder, write) as knot,
        running(command, directory=folder, name="web", environment=environment) as server,
    ):
        wait_until((folder / "ports.json").exists, server=server, seconds=60)
        ports = json.loads((folder / "ports.json").read_text())
        yield World(
            nameserver=knot.address,
            file=folder / "names.txt",
            checks=_checks(ports, folder / "ca.pem"),
            truth=dict(_truth(hosts, addresses, kinds)),
        )


def _addresses(names: Sequence[str]) -> dict[str, str]:
    """Give three names in four an address: of 100, one to each kind of certificate, 16 to HTTP."""
    hundred = [*TLS_ADDRESSES.values(), *[HTTP_ONLY] * 16, *[NOBODY] * 55]
    return {name: hundred[n % 100] for n, name in enumerate(names) if n % 100 < len(hundred)}


def _checks(ports: Mapping[str, int], authority: Path) -> list[Any]:
    http = {"scheme": "http", "http_port": ports["http"]}
    tls = {"port": ports["tls"], "ca_file": str(authority)}
    return [
        "host",
        {"check": "http", "needs": "host", "options": http},
        {"check": "tls", "needs": "http", "options": tls},
    ]


def _truth(
    hosts: Mapping[str, str], addresses: Mapping[str, str], kinds: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str], str]]:
    for name, host in hosts.items():
        address = addresses.get(name)
        there = address in kinds or address == HTTP_ONLY
        yield (name, "host"), host
        yield (name, "http"), ("ok" if there else "refused") if address else "skipped"
        yield (name, "tls"), kinds.get(address or "", "refused") if there else "skipped"


def _assert_true(database: str, truth: Mapping[tuple[str, str], str]) -> Counter[tuple[str, str]]:
    """Fail unless each pair of name and check has its true status, once; count them."""
    with create_engine(database, poolclass=NullPool).connect() as connection:
        rows = connection.exec_driver_sql('SELECT name, "check", status FROM results').all()
    found = {(name, check): status for name, check, status in rows}
    wrong = [(key, status) for key, status in truth.items() if found.get(key) != status]
    assert not wrong, f"{len(wrong)} of {len(truth)}: {wrong[0]}, found {found.get(wrong[0][0])}"
    assert len(rows) == len(truth)
    return Counter((check, status) for (_, check), status in truth.items())


def _show(
    arguments: argparse.Namespace, counts: Counter[tuple[str, str]], wall: float, usage: Usage
) -> None:
    show(
        f"{arguments.names:,} names through host → http → tls by {arguments.workers} workers: "
        f"{wall:.1f} s from the flow process's start to its end, "
        f"{arguments.names / wall:,.0f} names/s; every status true",
        ["check", "status", "names"],
        [[check, status, f"{n:,}"] for (check, status), n in sorted(counts.items())],
    )
    total = wall * (psutil.cpu_count() or 1)
    show(
        "What it took",
        ["", "CPU s", "of all cores", "peak MiB"],
        [
            [name, f"{seconds:.1f}", f"{seconds / total:.0%}", usage.peak_mib.get(name, 0.0)]
            for name, seconds in usage.cpu_seconds.most_common()
        ],
    )
