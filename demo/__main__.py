"""
Check the bundled list against the bundled name server: `python -m demo`, or `make demo`.

The results go to `.rollcall/demo.csv`, and databases of its own beside it, so that nobody's own
results are touched. The environment's servers are left out of it: the demo runs embedded, and
without a network.
"""

import os
import subprocess
import sys
from pathlib import Path

from demo.nameserver import running_nameserver
from demo.zone import ZONE

__all__ = ["main"]

DOMAINS = Path(__file__).with_name("domains.txt")
RESULTS = Path(".rollcall/demo.csv")
#: As a shell says it of a program that Ctrl-C has ended.
INTERRUPTED = 130


def main() -> int:
    """
    Run the main job as `make run` does.

    Returns:
        Its exit code: 0 when every domain has a result, 2 when the input cannot be used.
    """
    others = ("ROLLCALL_", "PREFECT_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    home = RESULTS.parent.resolve() / "demo"
    home.mkdir(parents=True, exist_ok=True)
    environment |= {
        "ROLLCALL_HOME": str(home),
        "ROLLCALL_DATABASE_URL": f"sqlite:///{home}/rollcall.db",
        "PREFECT_HOME": str(home / "prefect"),
    }
    with running_nameserver(ZONE) as server:
        command = [sys.executable, "-m", "deployments.run", str(DOMAINS), "--out", str(RESULTS)]
        environment["ROLLCALL_NAMESERVERS"] = server.address
        try:
            return subprocess.run(command, env=environment, check=False).returncode
        except KeyboardInterrupt:
            return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
