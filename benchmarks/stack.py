"""
End to end on everything: RabbitMQ, PostgreSQL, workers, a Prefect server and a name server.

- *Rollcall, N workers*: the flow in a process of its own, its batches on N workers. Counts from the
  flow run's start to the end of its last batch: loading, both passes and all commits included.
- *Rollcall embedded*: one process with SQLite, as `make run`; counted alike.
- *Celery*: a message a domain, results to a file (see `benchmarks.celery_checks`); fewer domains,
  as its rate does not depend on how many there are.
- *massdns*: the whole process, A only, to a file.

With `--delay-ms` a name server that takes its time stands in for knot, and only Rollcall is
measured: `--workers 1,2,4 --delay-ms 50 --concurrency 1` tells how it grows with the workers, where
what a worker has under way (`--concurrency` batches of 40 names) bounds it and not the processor.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import celery_checks
from benchmarks.answers import assert_true
from benchmarks.end_to_end import massdns, rollcall
from benchmarks.markdown import show
from benchmarks.names import Zone, generate, serving
from benchmarks.recorded import assert_settled, flow_seconds
from benchmarks.rig import PREFECT_DATABASES, Services, running_rig, running_services
from benchmarks.slow_nameserver import slowly_serving
from benchmarks.usage import Usage, watched

NAMES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One flow run on workers."""

    workers: int
    rate: float
    batches: int
    #: From the flow's process's start to its end, result file included.
    wall_seconds: float
    usage: Usage = field(repr=False)


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set."""
    parser.add_argument("--names", type=int, default=NAMES)
    parser.add_argument("--workers", default="2", help="how many; several: 1,2,4")
    parser.add_argument("--delay-ms", type=float, default=0, help="of the name server's answers")
    parser.add_argument("--concurrency", type=int, help="batches that a worker runs at once")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--celery-names", type=int, default=celery_checks.NAMES)
    parser.add_argument("--prefect-database", choices=PREFECT_DATABASES, default="postgresql")
    parser.add_argument("--alone", action="store_true", help="without the others")


def main(arguments: argparse.Namespace) -> None:
    """Measure all of them in turn, so that each sees the same machine; print the tables."""
    runs: list[Run] = []
    others: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        zone = stack.enter_context(_serving(arguments, _made(folder / "zone")))
        services = stack.enter_context(
            running_services(_made(folder / "server"), prefect_database=arguments.prefect_database)
        )
        for number in range(arguments.repeat):
            for workers in map(int, arguments.workers.split(",")):
                home = _made(folder / f"rig-{number}-{workers}")
                runs.append(_on_workers(services, zone, home, workers, arguments))
            if not arguments.alone and not arguments.delay_ms:
                home = _made(folder / f"others-{number}")
                for name, rate in _others(services, zone, home, arguments):
                    others.setdefault(name, []).append(rate)
    _show_rates(runs, others, arguments)
    for workers in sorted({run.workers for run in runs}):
        _show_usage(max((run for run in runs if run.workers == workers), key=lambda run: run.rate))


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _serving(arguments: argparse.Namespace, directory: Path) -> AbstractContextManager[Zone]:
    names = generate(arguments.names)
    if arguments.delay_ms:
        return slowly_serving(names, directory, delay_ms=arguments.delay_ms)
    return serving(names, directory)


def _on_workers(
    services: Services, zone: Zone, home: Path, workers: int, arguments: argparse.Namespace
) -> Run:
    """Check the names; fails unless each result is true, and each task run recorded."""
    settings = {}
    if arguments.concurrency:
        settings["PREFECT_RABBITMQ_CONCURRENCY"] = str(arguments.concurrency)
    with running_rig(services, zone.nameserver, home, workers=workers, **settings) as rig:
        with watched() as usage:
            check = rig.start(zone.file)
            flow_run = check.wait()
            wall = time.time() - check.began
        assert_true(rig.database, zone.truth)
        assert_settled(rig.prefect, flow_run)
        seconds, batches = flow_seconds(rig.prefect, flow_run)
    return Run(
        workers=workers,
        rate=len(zone.truth) / seconds,
        batches=batches,
        wall_seconds=wall,
        usage=usage,
    )


def _others(
    services: Services, zone: Zone, home: Path, arguments: argparse.Namespace
) -> Iterator[tuple[str, float]]:
    """Yield the rates of what one could use instead."""
    done = rollcall(zone, _made(home / "embedded"))
    yield "Rollcall embedded", len(zone.truth) / done.flow_seconds
    names = min(arguments.celery_names, len(zone.truth))
    with services.broker.virtual_host() as url:
        rate = celery_checks.measure(zone, url, _made(home / "celery"), names=names)
        yield f"Celery, by {names:,} domains", rate
    if shutil.which("massdns"):
        yield "massdns", massdns(zone, _made(home / "massdns"))


def _show_rates(
    runs: Sequence[Run], others: dict[str, list[float]], arguments: argparse.Namespace
) -> None:
    rates: dict[str, list[float]] = {}
    for run in sorted(runs, key=lambda run: run.workers):
        rates.setdefault(f"Rollcall, {_workers(run)}", []).append(run.rate)
    first = next(iter(rates))
    rows = [
        [
            name,
            max(measured),
            statistics.median(measured),
            max(measured) / max(rates[first]),
            max(rates[first]) / max(measured),
        ]
        for name, measured in (rates | others).items()
    ]
    delay = f", answers after {arguments.delay_ms:g} ms" if arguments.delay_ms else ""
    show(
        f"{arguments.names:,} domains end to end{delay}, {arguments.repeat} repetitions, domains/s;"
        " every status true",
        ["", "best", "median", f"÷ {first}, best", f"{first} ÷ this, best"],
        rows,
    )


def _show_usage(run: Run) -> None:
    total = run.wall_seconds * (psutil.cpu_count() or 1)
    rows = [
        [name, f"{seconds:.1f}", f"{seconds / total:.0%}", run.usage.peak_mib.get(name, 0.0)]
        for name, seconds in run.usage.cpu_seconds.most_common()
    ]
    rows.append(["all", f"{run.usage.cpu_seconds.total():.1f}", "", ""])
    show(
        f"{_workers(run)}, best run: {run.batches} batches, {run.wall_seconds:.1f} s from the"
        " flow process's start to its end",
        ["", "CPU s", "of all cores", "peak MiB"],
        rows,
    )


def _workers(run: Run) -> str:
    return f"{run.workers} worker{'s' if run.workers > 1 else ''}"
