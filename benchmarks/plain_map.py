"""
What one would write with Prefect alone: a task for each domain, mapped over the list.

The look-up is that of the command `host`, over a channel which all tasks share. Prints how many
domains a second it did, from before the mapping to the last result, and what came of them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from deployments import embedded

embedded.prepare()

from prefect import flow, task  # noqa: E402 - Prefect reads its settings when it is imported
from prefect.task_runners import ThreadPoolTaskRunner  # noqa: E402

from commands.environment import Environment  # noqa: E402
from commands.host import Host  # noqa: E402
from commands.loop import submit  # noqa: E402

host = Host({}, Environment(nameservers=(os.environ["ROLLCALL_NAMESERVERS"],)))


@task
def look_up(name: str) -> str:
    """Return a name's status."""
    return host.interpret(submit(host.execute(name)).result()).status


@flow(task_runner=ThreadPoolTaskRunner())  # type: ignore[arg-type]
def look_up_all(names: list[str]) -> tuple[float, list[str]]:
    """Return the seconds that it took, and the names' statuses."""
    began = time.perf_counter()
    statuses = look_up.map(names).result()
    return time.perf_counter() - began, statuses


def main() -> None:
    """Read the names, look them up, print JSON."""
    names = Path(sys.argv[1]).read_text().split()
    submit(host.__aenter__()).result()
    seconds, statuses = look_up_all(names)
    print(json.dumps({"rate": len(names) / seconds, "statuses": Counter(statuses)}))


if __name__ == "__main__":
    main()
