"""
Check a file with the flow, as a worker that runs the flow run would, in this process.

Reads the file, the work queue and the result file from the command line; prints the flow run's id.
"""

from __future__ import annotations

import sys
from typing import Any, cast

from prefect.client.schemas.objects import State

from flows.check_domains import check_domains


def main() -> None:
    """Run the flow, and print."""
    file, work_queue, out = sys.argv[1:]
    given = {"file": file, "work_queue": work_queue, "out": out}
    # Its annotations take it for what it would be inside another flow.
    state = cast("State[Any]", check_domains(**given, return_state=True))
    if not state.is_completed():
        sys.exit(f"error: {state.message}")
    print(state.state_details.flow_run_id)


if __name__ == "__main__":
    main()
