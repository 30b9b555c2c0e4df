"""One DAG, as it is written in the three places, and as it is stored."""

import json
from pathlib import Path
from typing import Any

from tests.deployments.running import ask

__all__ = ["DAG", "YAML", "assert_stored"]

#: In the run form and in a parameter; there is one for either kind of entry.
DAG: list[Any] = [
    "host",
    {"check": "missing", "command": "host", "needs": "host", "when": "nodata"},
]
#: On a command line.
YAML = "[host, {check: missing, command: host, needs: [host], when: [nodata]}]"
_DEFAULTS = {"command": "host", "options": {}, "handling": {}}
_STORED = [
    {**_DEFAULTS, "check": "host", "needs": [], "when": {}},
    {**_DEFAULTS, "check": "missing", "needs": ["host"], "when": {"host": ["nodata"]}},
]


def assert_stored(home: Path) -> None:
    """Fail unless the only run of a home's database has this DAG."""
    ((checks,),) = ask(home, "SELECT checks FROM runs")
    assert json.loads(checks) == _STORED
