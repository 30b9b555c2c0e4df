"""The passes of one check over all domains of a run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from prefect.logging import get_run_logger
from sqlalchemy import Engine

from commands.registry import command_named
from database.batches import Stage, pending_count, pending_ranges
from database.engine import open_database
from database.errors import DatabaseUnreachable
from database.lists import StoredList
from database.results import status_counts
from database.runs import StoredRun
from tasks.batch import batch_size, make_batches, window
from tasks.progress import Progress
from tasks.runner import Submit
from tasks.settings import Settings
from tasks.window import sliding_window

#: Seconds before the unsure names are asked again: time for a name server to recover.
PAUSE_SECONDS = 1.0
#: Seconds before each new try when the database is away, as long as a batch of its own tries.
PATIENCE = (2, 4, 8, 16, 32)


def check_all(
    run: StoredRun, stored: StoredList, check: str, settings: Settings, submit: Submit
) -> Mapping[str, int]:
    """
    Check every domain of a list that has no final result yet.

    Where the database is away for a while, this goes on where it stopped.

    Args:
        run: The run that the results are of.
        stored: Its list.
        check: The check, which is the command of the same name.
        settings: Of this process; a worker reads its own.
        submit: Submits a batch to where it is run.

    Returns:
        Status -> how many domains.

    Raises:
        BatchesFailed: Some batches failed for good.
        DatabaseError: The database cannot be used, or is away for more than a minute.
    """
    for seconds in PATIENCE:
        try:
            return _check_all(run, stored, check, settings, submit)
        except DatabaseUnreachable as error:
            get_run_logger().warning("%s. Going on in %d s.", error, seconds)
            time.sleep(seconds)
    return _check_all(run, stored, check, settings, submit)


def _check_all(
    run: StoredRun, stored: StoredList, check: str, settings: Settings, submit: Submit
) -> Mapping[str, int]:
    engine = open_database(settings.database)
    first = Stage(run=run.number, list_id=stored.id, check=check)
    second = Stage(run=run.number, list_id=stored.id, check=check, second_pass=True)
    done = _statuses(engine, run, check)
    _log_resumption(check, done, stored)
    progress = Progress(check, stored.ledger["unique"], done)
    for statuses in _pass(engine, first, submit):
        progress.add(statuses)
    if _unsure(engine, second):
        time.sleep(PAUSE_SECONDS)
        for _ in _pass(engine, second, submit):
            progress.show()
    statuses = _statuses(engine, run, check)
    progress.replace(statuses)
    return statuses


def _statuses(engine: Engine, run: StoredRun, check: str) -> Counter[str]:
    return status_counts(engine, run.number).get(check, Counter())


def _pass(engine: Engine, stage: Stage, submit: Submit) -> Any:
    command = command_named(stage.check)
    size = batch_size(pending_count(engine, stage))
    batches = make_batches(stage, command.name, pending_ranges(engine, stage, size))
    return sliding_window(submit, batches, window(size))


def _unsure(engine: Engine, stage: Stage) -> bool:
    count = pending_count(engine, stage)
    if count:
        get_run_logger().info("%s: asking %s unsure names again.", stage.check, f"{count:,}")
    return count > 0


def _log_resumption(check: str, done: Mapping[str, int], stored: StoredList) -> None:
    logger = get_run_logger()
    unique, before = stored.ledger["unique"], sum(done.values())
    if before:
        logger.info("%s: going on after %s of %s domains.", check, f"{before:,}", f"{unique:,}")
    else:
        logger.info("%s: checking %s domains.", check, f"{unique:,}")
