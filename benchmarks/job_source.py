"""
Emit jobs of a command that does nothing, with the settings of the environment.

Reads how many, how many a second (0: as fast as it goes), the work queue, and the command from the
command line; without a command it is the bare task `noted` that is published, of which Rollcall
keeps no row. Prints the seconds that it took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from uuid import uuid4

from prefect_rabbitmq import job_publisher

from tasks.broker import WORK_POOL
from tasks.jobs.emit import emit, ordered
from tasks.settings import Settings


def main() -> None:
    """Emit them, those of a second at once."""
    count, per_second, work_queue = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    command, began = (sys.argv[4] if len(sys.argv) > 4 else ""), time.time()
    at_once = per_second or count
    for second, first in enumerate(range(0, count, at_once)):
        time.sleep(max(0.0, began + second - time.time()) if per_second else 0.0)
        _emit(command, range(first, min(count, first + at_once)), work_queue)
    print(time.time() - began)


def _emit(command: str, numbers: Iterable[int], work_queue: str) -> None:
    if command:
        orders = [(uuid4(), ordered(command, number, work_queue)) for number in numbers]
        emit(orders, Settings())
        return
    with job_publisher(WORK_POOL) as jobs:
        for number in numbers:
            jobs.publish(work_queue, "noted", {"number": number})


if __name__ == "__main__":
    main()
