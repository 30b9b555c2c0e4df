"""What must never be unpickled."""

import subprocess
from pathlib import Path

__all__ = ["Evil"]


class Evil:
    """
    Runs a command when it is unpickled.

    Args:
        trace: The file that is there afterwards.
    """

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Have the command run."""
        return subprocess.getoutput, (f"touch {self.trace}",)
