"""
Measure Rollcall: `python -m benchmarks [name …]`, or `make bench ARGS=…`.

Each name is a module with `options` and `main`; `python -m benchmarks recall --help` tells what can
be set of one. Every one holds its answers against the truth, and ends with an error where
they differ. Ratios within one run travel, absolute figures do not.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from benchmarks.markdown import machine

#: Name -> what it measures. The first ones, in a minute or two each, are done by default.
QUICK = {
    "truth": "a real list: every name one result, the true one, however it is wrapped",
    "end_to_end": "domains a second, beside massdns and Prefect's map; memory",
    "recall": "healthy names stay healthy at full speed and where replies get lost",
    "memory": "flat memory over many unique names",
    "http": "pages a second by the command `http`, beside a bare loop of httpx; flat memory",
    "feed": "offers a second by `cron_frame`, beside a bare loop with csv.writer; flat memory",
}
SLOW = {"load": "ten million lines into the database, beside `sort -u`; for 2 GB of disk"}
#: Those with RabbitMQ, PostgreSQL and workers.
STACK = {
    "runners": "task runs a second of a no-op task: RabbitMQ, threads and Dask on one server",
    "celery_checks": "domains a second by Celery, one message each",
    "stack": "domains a second end to end on RabbitMQ, PostgreSQL and workers; what bounds it",
    "dag": "names through host, http and tls, against web servers; every status true",
    "worker_memory": "flat memory of a worker over a million names; for half an hour",
    "listener_memory": "flat memory of a listener under load; for half an hour",
    "interleave": "ten names that overtake a million, and one that does not",
    "jobs": "empty jobs a second through one worker, beside Celery; what a job costs",
    "schedules": "from a schedule's due moment to the handler, beside Celery beat; ten minutes",
}


def main() -> None:
    """Run the named ones."""
    names, rest = _arguments(sys.argv[1:])
    print(f"Measured on {machine()}.", flush=True)
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        if name in SLOW:
            # A program of its own, which reads its own command line.
            sys.argv[1:] = rest
            module.main()
            continue
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks {name}",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.options(parser)
        module.main(parser.parse_args(rest))


def _arguments(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the benchmarks' names, and what follows them, which is for a single one."""
    known = QUICK | SLOW | STACK
    lines = [f"  {name:14} {text}" for name, text in known.items()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="\n".join(["benchmarks:", *lines, "", f"default: {' '.join(QUICK)}"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [name …] | name options",
    )
    count = next((i for i, word in enumerate(given) if word.startswith("-")), len(given))
    names, rest = list(given[:count]), list(given[count:])
    if not names:
        parser.parse_args(rest)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown: {' '.join(unknown)}; there are: {' '.join(known)}")
    if rest and len(names) > 1:
        parser.error("options are for one benchmark")
    return names or list(QUICK), rest


if __name__ == "__main__":
    main()
