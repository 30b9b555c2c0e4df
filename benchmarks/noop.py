"""Tasks that do nothing; a module of its own, for the workers."""

from __future__ import annotations

import os
import time
from pathlib import Path

from prefect import task


@task
def noop(number: int) -> int:
    """Return what was given."""
    return number


@task
def noted(number: int) -> None:  # noqa: ARG001 - what every message brings
    """Write down when it was run, in seconds since the epoch, to the file of BENCH_MARKS."""
    with Path(os.environ["BENCH_MARKS"]).open("a", encoding="ascii") as marks:
        marks.write(f"{time.time()}\n")
