"""What puts jobs on the queues by schedule, by hand, or from Prefect's UI."""

from typing import Any

from prefect import flow, get_run_logger
from prefect_rabbitmq import publish_job

POOL = "shop"


@flow(name="emit-job", flow_run_name="{task} on {work_queue}")
def emit_job(work_queue: str, task: str, parameters: dict[str, Any]) -> str:
    """
    Put a job on a work queue; does not wait until it is done.

    Args:
        work_queue: One that a worker serves, or has served.
        task: The name of one of the tasks in `shop_jobs.tasks`.
        parameters: The task's.

    Returns:
        The message's id, which is also the id of the task run.
    """
    message_id = publish_job(POOL, work_queue, task, parameters)
    get_run_logger().info("%s is on its way as %s", task, message_id)
    return message_id
