"""Who subscribes to the mails of `cron_events`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE

from commands.cron_events.port import TOPICS, Topic
from commands.smtp.server import MailSettingWrong, check_address
from database.engine import open_database
from database.errors import DatabaseError
from database.subscribers import add_subscriber, list_subscribers, remove_subscriber
from tasks.errors import InputError
from tasks.settings import Settings

__all__ = ["EXPECTED", "Action", "Topic", "manage"]

Action = Literal["subscribe", "unsubscribe", "list"]
#: What a flow of these ends with in one line.
EXPECTED = (InputError, DatabaseError)


@task(name="subscribers", task_run_name="{action}", cache_policy=NO_CACHE)
def manage(action: Action, address: str, what: Collection[Topic]) -> str:
    """
    Subscribe, change what somebody is told, unsubscribe, or list.

    Args:
        action: Which of them.
        address: Whose; for a list empty.
        what: The topics; empty for all.

    Returns:
        What is so now, in words.

    Raises:
        InputError: It cannot be done, and why.
        DatabaseError: The database cannot be used.
    """
    settings = Settings()
    engine = open_database(settings.database)
    if action == "list":
        listed = [f"{one}: {', '.join(topics)}" for one, topics in list_subscribers(engine)]
        return "\n".join([f"{len(listed)} subscribers", *listed])
    address = _address(address)
    if action == "unsubscribe":
        if not remove_subscriber(engine, address):
            raise InputError(f"{address} is no subscriber: see the action `list`")
        return f"{address} is told nothing more"
    topics = [topic for topic in TOPICS if topic in (what or TOPICS)]
    new = add_subscriber(engine, address, topics)
    since = " of what ends from now on" if new else ""
    # It may be set where the jobs run.
    unset = "" if settings.smtp_url else "; ROLLCALL_SMTP_URL is not set here"
    return f"{address} is told{since}: {', '.join(topics)}{unset}"


def _address(address: str) -> str:
    address = address.strip()
    try:
        check_address(address, "address: ")
    except MailSettingWrong as error:
        raise InputError(str(error)) from error
    # A domain is the same in any case (RFC 5321, 2.3.11); the rest is its server's affair.
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
