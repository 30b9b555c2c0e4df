"""
What can go wrong between us and RabbitMQ, by what the reader can do about it.

RabbitMQError
    BadCredentials          mend the block or the variable
        NoCredentials       make one
    BrokerUnreachable       start RabbitMQ, or mend its address; trying later may help
    Unroutable              start a worker, or mend the name
    QueueMissing            start a worker, or mend the name
    Refused                 RabbitMQ says why

None of their texts holds a password.
"""

__all__ = [
    "BadCredentials",
    "BrokerUnreachable",
    "NoCredentials",
    "QueueMissing",
    "RabbitMQError",
    "Refused",
    "Unroutable",
    "reason_of",
]


class RabbitMQError(Exception):
    """Something between us and RabbitMQ went wrong."""


class BadCredentials(RabbitMQError, ValueError):
    """The URL, or a file that is named with it, cannot be used."""


class NoCredentials(BadCredentials):
    """Neither a block was given nor the environment variable."""


class BrokerUnreachable(RabbitMQError):
    """There is no connection, or there is no more."""


class Unroutable(RabbitMQError):
    """A message has no queue to go to; it was not published."""


class QueueMissing(RabbitMQError):
    """A queue does not exist."""


class Refused(RabbitMQError):
    """RabbitMQ was asked and said no."""


def reason_of(error: BaseException) -> str:
    """
    Say in some words what went wrong.

    Args:
        error: Of pika or of the system. Pika's often have no text of their own, but the error that
            they are about as their argument.
    """
    within = [getattr(error, "exception", None), *error.args]
    for inner in within:
        if isinstance(inner, BaseException):
            return reason_of(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # Those that RabbitMQ sends are a code and a text.
    texts = [str(argument) for argument in error.args if isinstance(argument, str) and argument]
    return texts[-1] if texts else type(error).__name__
