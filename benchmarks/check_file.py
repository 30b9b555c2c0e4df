"""
Check a file with the flow, as a worker that runs the flow run would, in this process.

Reads the flow's parameters from the command line, as JSON; prints the flow run's id.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from prefect.client.schemas.objects import State

from flows.check_domains import check_domains


def main() -> None:
    """Run the flow, and print."""
    given = json.loads(sys.argv[1])
    # Its annotations take it for what it would be inside another flow.
    state = cast("State[Any]", check_domains(**given, return_state=True))
    if not state.is_completed():
        sys.exit(f"error: {state.message}")
    print(state.state_details.flow_run_id)


if __name__ == "__main__":
    main()
