"""Jobs as people write them: in a run form, in `prefect.yaml`, on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from database.jobs import Order
from tasks.jobs.emit import ordered


class JobOrder(BaseModel):
    """A command, and what it is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str = Field(min_length=1, description="The name of an installed command.")
    payload: Any = Field(default=None, description="Whatever the command takes: any JSON.")


def orders_of(jobs: Sequence[JobOrder], work_queue: str) -> list[Order]:
    """
    Look at jobs before any of them is put anywhere.

    Raises:
        CommandError: A command is not installed.
    """
    return [ordered(job.command, job.payload, work_queue) for job in jobs]
