"""What benchmarks compare with, which `make bench` installs apart from everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

#: The repository, from where `-m` finds our packages.
ROOT = Path(__file__).parents[1]
#: Only who needs it has it on the path: every worker loads all of Prefect's collections there.
EXTRAS = ROOT / "build" / "benchmarks"


def with_extras(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which they and the repository's packages can be imported."""
    assert (EXTRAS / ".installed").exists(), "run `make bench` once: it installs what is missing"
    return with_repository(environment) | {"PYTHONPATH": f"{ROOT}{os.pathsep}{EXTRAS}"}


def with_repository(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the repository's packages can be imported from anywhere."""
    return {**environment, "PYTHONPATH": str(ROOT)}
