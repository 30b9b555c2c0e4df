"""
A task module for workers under test: what its tasks do is told by lines in a file.

The variable LAB_MARKS names the file.
"""

import asyncio
import os
import signal
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.futures import wait
from prefect_rabbitmq import current_message
from prefect_rabbitmq.task_runner import RabbitMQTaskRunner

from tests.services.marks import mark

#: Seconds between looks whether a gate is open.
LOOK_SECONDS = 0.02

_kept: list[bytes] = []


@task
def note(key: str) -> str:
    """Begin and end."""
    mark("start", key)
    get_run_logger().info("This is %s", key)
    mark("end", key)
    return key


@task
def hold(key: str, gate: str) -> None:
    """Run until a file is there."""
    mark("start", key)
    try:
        while not Path(gate).exists():
            time.sleep(LOOK_SECONDS)
    except BaseException:
        mark("stopped", key)
        raise
    mark("end", key)


@task
async def hold_async(key: str, gate: str) -> None:
    """Run until a file is there, in an event loop."""
    mark("start", key)
    try:
        while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
            await asyncio.sleep(LOOK_SECONDS)
    except BaseException:
        mark("stopped", key)
        raise
    mark("end", key)


@task
def block(key: str, seconds: float) -> None:
    """Do not hear of anything for a while."""
    mark("start", key)
    time.sleep(seconds)
    mark("end", key)


@task
def die(key: str, how: str) -> None:
    """Take the process along."""
    mark("start", key)
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGKILL)


@task
def die_as_a_parent(key: str) -> None:
    """Take the process along, but not a child that it has forked."""
    mark("start", key)
    if os.fork():
        os.kill(os.getpid(), signal.SIGKILL)
    mark("child", key)
    time.sleep(600)


@task
def leave(key: str) -> None:
    """Raise what would end a program."""
    mark("start", key)
    sys.exit(key)


@task
def add(number: int, day: date, more: int = 1) -> int:
    """Be particular about parameters."""
    mark("start", f"{number}-{day.isoformat()}-{more}")
    return number + more


@task
def whose(key: str) -> None:
    """Tell of the message that it is run for."""
    message = current_message()
    assert message is not None
    mark(f"{message.worker}/{message.work_queue}/{message.message_id}/{message.deliveries}", key)


@task
async def whose_async(key: str) -> None:
    """Do the same in an event loop."""
    message = current_message()
    assert message is not None
    mark(message.message_id, key)


@task
def say(word: str, times: int) -> str:
    """Return much."""
    return word * times


@task
def grow(key: str, megabytes: int) -> None:
    """Keep memory."""
    mark("start", key)
    _kept.append(b"x" * (megabytes * 1_000_000))
    mark("end", key)


@flow
def hold_all(keys: list[str], gate: str) -> None:
    """Map `hold` on the workers."""
    wait(hold.map(keys, gate))


@flow
def hold_all_here(pool: str, keys: list[str], gate: str) -> None:
    """Run `hold_all` on the workers of the pool that this flow run belongs to."""
    runner: Any = RabbitMQTaskRunner(work_pool=pool)
    hold_all.with_options(task_runner=runner)(keys, gate)


@flow
def block_one(key: str, seconds: float) -> None:
    """Run `block` on the workers."""
    wait([block.submit(key, seconds)])


@flow
def here(key: str) -> None:
    """Be a flow run without any task."""
    mark("flow", key)


def main(pool: str, name: str, what: str, option: str, *keys: str) -> None:
    """Run a flow on the workers of a pool: `hold <gate> <key>...` or `block <seconds> <key>`."""
    runner: Any = RabbitMQTaskRunner(work_pool=pool)
    if what == "hold":
        hold_all.with_options(task_runner=runner, flow_run_name=name)(list(keys), option)
    else:
        block_one.with_options(task_runner=runner, flow_run_name=name)(keys[0], float(option))


if __name__ == "__main__":
    main(*sys.argv[1:])
