"""What a flow about jobs ends with in one line, without a traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Failed
from prefect_rabbitmq.errors import RabbitMQError

from commands.errors import CommandError
from database.errors import DatabaseError
from tasks.errors import InputError

EXPECTED = (InputError, CommandError, DatabaseError, RabbitMQError)


def in_one_line(do: Callable[[], Any]) -> Any:
    """Do something; return what it returns, or a failed state that says what to mend."""
    try:
        return do()
    except EXPECTED as error:
        get_run_logger().error("%s", error)
        state: State[Any] = Failed(message=str(error))
        return state
