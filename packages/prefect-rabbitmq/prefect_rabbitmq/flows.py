"""
Small flows, so that messages can be looked after in Prefect's UI.

Serve or deploy them as any flow, for example in `prefect.yaml`:
`entrypoint: prefect_rabbitmq.flows.list_dead_letters`.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.logging import get_run_logger

from prefect_rabbitmq import dead_letters, standalone
from prefect_rabbitmq.messaging import publish

__all__ = ["cancel_jobs", "list_dead_letters", "publish_message", "replay_dead_letters"]


@flow(name="dead-letters", description="What a work pool of RabbitMQ could not run, and why.")
def list_dead_letters(pool: str, limit: int = 100, credentials: str = "") -> list[dict[str, Any]]:
    """
    List the messages that a work pool could not run, as a table artifact. They stay where they are.

    Args:
        pool: The name of the work pool.
        limit: List at most so many, the oldest first.
        credentials: The name of a RabbitMQ Credentials block. Empty: those of the environment, or
            else those of the pool.

    Returns:
        The same as the table.
    """
    letters = dead_letters.dead_letters(pool, limit, credentials=credentials)
    rows = [letter.model_dump(mode="json") for letter in letters]
    key = re.sub(r"[^a-z0-9]+", "-", f"dead-letters-{pool}".lower()).strip("-")
    text = f"Dead letters of work pool {pool}, the oldest first."
    create_table_artifact(rows, key=key, description=text)
    return rows


@flow(name="replay-dead-letters", description="Put dead letters back on their work queue.")
def replay_dead_letters(
    pool: str, message_ids: tuple[str, ...] = (), work_queue: str = "", credentials: str = ""
) -> int:
    """
    Put messages that a work pool could not run back on their work queue.

    Args:
        pool: The name of the work pool.
        message_ids: Which ones, as the flow dead-letters lists them. Empty: all.
        work_queue: Where to. Empty: where each one was.
        credentials: The name of a RabbitMQ Credentials block. Empty: those of the environment, or
            else those of the pool.

    Returns:
        How many were put back.
    """
    count = dead_letters.replay(pool, message_ids or None, work_queue, credentials=credentials)
    get_run_logger().info("Put %d dead letters of pool %s back.", count, pool)
    return count


@flow(name="publish-message", description="Publish one message to RabbitMQ.")
def publish_message(
    body: str,
    routing_key: str,
    exchange: str = "",
    content_type: str = "application/json",
    credentials: str = "",
) -> str:
    """
    Publish one message, and wait until RabbitMQ has it safely in a queue.

    Args:
        body: The message itself.
        routing_key: With the default exchange, the name of the queue; for a work pool, its work
            queue.
        exchange: Where to; for a work pool, its name. Empty: the default exchange.
        content_type: What the body is.
        credentials: The name of a RabbitMQ Credentials block. Empty: those of the environment.

    Returns:
        The message's id.
    """
    return publish(
        body,
        routing_key=routing_key,
        exchange=exchange,
        credentials=credentials,
        properties={"content_type": content_type},
    )


@flow(name="cancel-jobs", description="Cancel jobs that belong to no flow run.")
def cancel_jobs(task_runs: tuple[UUID, ...], reason: str = "") -> dict[str, str]:
    """
    Cancel jobs that wait or run and belong to no flow run; others are cancelled with theirs.

    Args:
        task_runs: Their task runs' ids.
        reason: Is shown with the state.

    Returns:
        What became of each: cancelled, cancelling, ended, or of a flow run.
    """
    done = standalone.cancel_jobs(task_runs, reason)
    for task_run, what in done.items():
        get_run_logger().info("%s: %s", task_run, what)
    return {str(task_run): what for task_run, what in done.items()}
