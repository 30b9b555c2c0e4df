"""All checks of a run, over all domains of its list."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

from prefect.logging import get_run_logger

from database.engine import open_database
from database.errors import DatabaseUnreachable
from database.lists import StoredList
from database.results import status_counts
from database.runs import StoredRun
from tasks.plan import Plan
from tasks.runner import Submit
from tasks.settings import Settings
from tasks.stages import CheckStage
from tasks.window import Window

#: Seconds before each new try when the database is away, as long as a batch of its own tries.
PATIENCE = (2, 4, 8, 16, 32)


def check_all(
    run: StoredRun, stored: StoredList, plan: Plan, settings: Settings, submit: Submit
) -> None:
    """
    Check every domain of a list that has no final result yet, in every check.

    Where the database is away for a while, this goes on where it stopped.

    Args:
        run: The run that the results are of.
        stored: Its list.
        plan: The checks.
        settings: Of this process; a worker reads its own.
        submit: Submits a batch to where it is run.

    Raises:
        BatchesFailed: Some batches failed for good.
        DatabaseError: The database cannot be used, or is away for more than a minute.
    """
    for seconds in PATIENCE:
        try:
            return _check_all(run, stored, plan, settings, submit)
        except DatabaseUnreachable as error:
            get_run_logger().warning("%s. Going on in %d s.", error, seconds)
            time.sleep(seconds)
    return _check_all(run, stored, plan, settings, submit)


def _check_all(
    run: StoredRun, stored: StoredList, plan: Plan, settings: Settings, submit: Submit
) -> None:
    engine = open_database(settings.database)
    done = status_counts(engine, run.number)
    stages: dict[str, CheckStage] = {}
    for check in plan:
        before = done.get(check.name, Counter())
        _log_beginning(check.name, before, stored, tuple(check.needs))
        stage = stages[check.name] = CheckStage(check, run, stored, engine, before)
        for need in check.needs:
            stage.need(stages[need])
    # The last check is asked first, so that what has begun is finished before more begins.
    Window(list(reversed(stages.values())), submit).run()


def _log_beginning(
    check: str, done: Mapping[str, int], stored: StoredList, needs: tuple[str, ...]
) -> None:
    logger = get_run_logger()
    unique, before = f"{stored.ledger['unique']:,}", sum(done.values())
    if before:
        logger.info("%s: going on after %s of %s domains.", check, f"{before:,}", unique)
    elif needs:
        logger.info("%s: checking what %s passes on.", check, " and ".join(needs))
    else:
        logger.info("%s: checking %s domains.", check, unique)
