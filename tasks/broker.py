"""Where RabbitMQ is, and which work pool is fed by it."""

from __future__ import annotations

from prefect_rabbitmq import RabbitMQCredentials
from pydantic import SecretStr, ValidationError

from tasks.errors import InputError

#: The work pool whose workers take batches and jobs; `prefect.yaml` names it, too.
WORK_POOL = "checks"


def broker(amqp_url: SecretStr) -> RabbitMQCredentials:
    """
    Return what connects to RabbitMQ.

    Raises:
        InputError: The URL is none.
    """
    try:
        return RabbitMQCredentials(url=amqp_url)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
    raise InputError(f"ROLLCALL_AMQP_URL: {reason.removeprefix('Value error, ')}")
