"""Whether everything is as if nothing had happened."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pika.exceptions import AMQPError
from prefect_rabbitmq import topology
from sqlalchemy import NullPool, create_engine, text

from tests.chaos.nameserver import exists
from tests.chaos.stage import POOL, List, Stage

__all__ = ["what_is_wrong"]

#: Seconds for the last states to be recorded, and for messages that nobody wants to be dropped.
SETTLE_SECONDS = 60.0
LINES = ("blank", "comment", "invalid", "duplicate", "unique")


def what_is_wrong(stage: Stage, flow_run: str, checked: List, *, retried: bool) -> Iterator[str]:
    """
    Yield a sentence for everything that is not as it must be after a run.

    Args:
        stage: Everything that runs.
        flow_run: The flow run's id; it has ended.
        checked: Its list.
        retried: Whether its process was killed, and it was run again.
    """
    state, message = stage.prefect.state(flow_run)
    if state != "COMPLETED":
        yield f"the flow run is {state}: {message}"
    yield from _results(stage, flow_run, checked)
    # What an earlier attempt of the flow run had under way is dropped.
    right = {"COMPLETED", "CANCELLED", "CRASHED"} if retried else {"COMPLETED"}
    if left := settled(lambda: _others(stage.prefect.task_runs(flow_run), right)):
        yield f"task runs that did not complete: {left}"
    if waiting := settled(lambda: _messages(stage)):
        yield f"messages that are left: {waiting}"


def settled(found: Callable[[], Any]) -> Any:
    """Return what is found until nothing is, or the time is over."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (last := found()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return last


def _results(stage: Stage, flow_run: str, checked: List) -> Iterator[str]:
    rows = _ask(
        stage,
        'SELECT results.name, results.status, results.final, results."check" FROM results'
        f" JOIN runs ON runs.number = results.run WHERE runs.id = '{flow_run}'",
    )
    found = Counter(name for name, *_ in rows)
    truth = {name: "resolves" if exists(name) else "nxdomain" for name in checked.names}
    if missing := truth.keys() - found.keys():
        yield f"{len(missing):,} domains without a result, e.g. {min(missing)}"
    if doubled := [name for name, count in found.items() if count > 1]:
        yield f"{len(doubled):,} domains with several results, e.g. {doubled[0]}"
    if strange := found.keys() - truth.keys():
        yield f"{len(strange):,} results of no domain, e.g. {min(strange)}"
    if wrong := [name for name, status, *_ in rows if truth.get(name, status) != status]:
        yield f"{len(wrong):,} results are wrong, e.g. of {wrong[0]}"
    if not all(final for _, _, final, _ in rows):
        yield "results that are not final"
    yield from _ledger(stage, flow_run, len(checked.names), len(rows))


def _ledger(stage: Stage, flow_run: str, unique: int, statuses: int) -> Iterator[str]:
    ledgers = _ask(
        stage,
        "SELECT lists.ledger FROM lists JOIN runs ON runs.list_id = lists.id"
        f" WHERE runs.id = '{flow_run}' AND runs.ended_at IS NOT NULL",
    )
    if len(ledgers) != 1:
        yield f"{len(ledgers)} finished runs with a list"
        return
    ledger = ledgers[0][0]
    if ledger["lines"] != sum(ledger[bucket] for bucket in LINES):
        yield f"the lines of the ledger do not add up: {ledger}"
    if not ledger["unique"] == unique == statuses:
        yield f"{unique} names, {ledger['unique']} in the ledger, {statuses} statuses"


def _others(task_runs: dict[str, int], right: set[str]) -> dict[str, int]:
    return {kind: count for kind, count in task_runs.items() if kind not in right}


def _messages(stage: Stage) -> dict[str, int]:
    """Count the messages on the work queues and among the dead letters."""
    try:
        queues = stage.broker.queues()
    except AMQPError as error:
        return {f"unknown ({error!r})": 1}
    if topology.dead_letters_name(POOL) not in queues:
        return {"no queue of dead letters": 1}
    replies = f"{POOL}/replies/"
    return {name: n for name, n in queues.items() if n and not name.startswith(replies)}


def _ask(stage: Stage, query: str) -> list[Any]:
    with create_engine(stage.database, poolclass=NullPool).connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]
