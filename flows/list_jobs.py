"""Jobs as a table in the UI."""

from datetime import datetime
from typing import Any

from prefect import flow
from prefect.states import Completed

from tasks.jobs.listing import JobState, Wanted, show
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="list-jobs", description="Show jobs as a table: their group, number, state, worker.")
def list_jobs(
    states: list[JobState] = [],  # noqa: B006 - the run form shows it, and nobody changes it
    since: datetime | None = None,
    until: datetime | None = None,
    command: str = "",
    work_queue: str = "",
) -> Any:
    """
    Show jobs as a table artifact of this run.

    Args:
        states: Only those in one of these. Empty: all.
        since: Only those that ended, or came and have not ended, at this time or later ...
        until: ... and before this one.
        command: Only those of this command.
        work_queue: Only those of this group.

    Returns:
        How many there are of each state.
    """
    wanted = Wanted(
        states=tuple(states), since=since, until=until, command=command, work_queue=work_queue
    )
    return in_one_line(lambda: Completed(message=show(wanted, Settings())))
