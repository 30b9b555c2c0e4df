"""Two runs of one list at the same time: the later one waits, is skipped, or runs beside it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_run_logger
from sqlalchemy import Engine

from database.engine import open_database
from database.lists import StoredList
from database.runs import StoredRun, unfinished_before
from tasks.settings import Settings

#: What a run does while an earlier one of the same list is under way.
Overlap = Literal["run", "wait", "skip"]
#: An earlier run without a new result for so long keeps nobody waiting: where a machine has died,
#: Prefect goes on calling its flow runs Running.
QUIET = timedelta(hours=1)
#: Seconds between two looks at the earlier run.
LOOK_SECONDS = 2.0


class Skipped(Exception):
    """A run is not needed: an earlier one of the same list is under way."""


def take_turn(run: StoredRun, stored: StoredList, overlap: Overlap, settings: Settings) -> None:
    """
    Come back when a run may go on.

    Of two that begin together the one that was opened first goes on. A run whose flow run has ended
    in whatever way, or that has been quiet for an hour, keeps nobody waiting.

    Args:
        run: The run that asks.
        stored: Its list.
        overlap: What it does while an earlier one is under way.
        settings: Of this process.

    Raises:
        Skipped: It is not to run.
        DatabaseError: The database cannot be used.
    """
    if overlap == "run":
        return
    engine = open_database(settings.database)
    told = False
    with get_client(sync_client=True) as client:
        while busy := _under_way(client, _before(engine, run, stored)):
            if overlap == "skip":
                raise Skipped(f"Skipped: {busy} is checking the same list")
            if not told:
                get_run_logger().info("Waiting for %s, which is checking the same list.", busy)
                told = True
            time.sleep(LOOK_SECONDS)


def _before(engine: Engine, run: StoredRun, stored: StoredList) -> list[UUID]:
    return unfinished_before(engine, run.number, stored.id, quiet=QUIET)


def _under_way(client: SyncPrefectClient, flow_runs: list[UUID]) -> str | None:
    """Return the name of the first flow run that has not ended."""
    for flow_run_id in flow_runs:
        try:
            flow_run = client.read_flow_run(flow_run_id)
        except ObjectNotFound:
            continue
        # What waits to be retried has nobody at work on it, and may wait for days.
        if flow_run.state is not None and (
            flow_run.state.is_running() or flow_run.state.is_pending()
        ):
            return flow_run.name
    return None
