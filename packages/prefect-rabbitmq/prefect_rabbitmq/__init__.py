"""Work pools fed by RabbitMQ, for Prefect 3."""

from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.current import CurrentMessage, current_message
from prefect_rabbitmq.emission import JobPublisher, job_publisher
from prefect_rabbitmq.messaging import consume_one, publish, publish_job
from prefect_rabbitmq.task_runner import RabbitMQTaskRunner
from prefect_rabbitmq.versions import on_new_code
from prefect_rabbitmq.worker import RabbitMQWorker

__all__ = [
    "CurrentMessage",
    "JobPublisher",
    "RabbitMQCredentials",
    "RabbitMQTaskRunner",
    "RabbitMQWorker",
    "consume_one",
    "current_message",
    "job_publisher",
    "on_new_code",
    "publish",
    "publish_job",
]
