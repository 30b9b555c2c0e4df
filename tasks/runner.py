"""Where batches are run: in this process, or by the workers of the work pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect_rabbitmq import RabbitMQTaskRunner

from tasks.broker import WORK_POOL, broker
from tasks.check import check_batch
from tasks.settings import Settings

#: Submits a batch, as JSON, that comes after some others.
Submit = Callable[[dict[str, Any], Sequence[PrefectFuture[Any]]], PrefectFuture[Any]]


@contextmanager
def batches_to(work_queue: str, settings: Settings) -> Iterator[Submit]:
    """
    Give the function that submits a batch.

    Without a broker, that is the flow's own task runner, in this process.

    Args:
        work_queue: The work queue that they wait in, where there is a broker.
        settings: Of this process.
    """
    if settings.amqp_url is None:
        if work_queue != "default":
            get_run_logger().warning(
                "Work queue %s: without a broker, batches go to none.", work_queue
            )

        def submit(batch: dict[str, Any], after: Sequence[PrefectFuture[Any]]) -> Any:
            return check_batch.submit(batch, wait_for=after, return_state=False)

        yield submit
        return
    with RabbitMQTaskRunner(WORK_POOL, work_queue, broker(settings.amqp_url)) as runner:
        yield lambda batch, after: runner.submit(check_batch, {"batch": batch}, wait_for=after)
