"""A task that does nothing; a module of its own, for the workers."""

from __future__ import annotations

from prefect import task


@task
def noop(number: int) -> int:
    """Return what was given."""
    return number
