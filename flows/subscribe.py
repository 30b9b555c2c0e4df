"""A small flow for people: who is told by mail of what ends, changes and fails."""

from typing import Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from tasks.mail.subscribers import EXPECTED, Action, Topic, manage


@flow(name="subscribe", description="Be told by mail of runs, changes and failed jobs, or no more.")
def subscribe(
    address: str = "",
    what: list[Topic] = ["changes", "runs", "jobs"],  # noqa: B006 - the run form shows it, and nobody changes it
    action: Action = "subscribe",
) -> Any:
    """
    Subscribe to the mails of the command `cron_events`, unsubscribe, or list who has.

    Args:
        address: Of one person, e.g. `ann@example.org`; empty for a list.
        what: Of what they are told: `changes` of results, `runs` that ended, `jobs` that failed.
            Subscribing again replaces it.
        action: `subscribe`, `unsubscribe`, or `list`.

    Returns:
        The final state; its message says what is so now, or what to mend.
    """
    try:
        said = manage(action, address, what)
    except EXPECTED as error:
        get_run_logger().error("%s", error)
        return Failed(name="Refused", message=str(error))
    get_run_logger().info("%s", said)
    return Completed(message=said)
