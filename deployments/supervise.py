"""
Keep a command running: `python -m deployments.supervise prefect worker start …`.

A worker ends by itself when it has reached its time, message or memory limit; then a new one takes
its place. Where there is no systemd, Docker or Kubernetes to do that, this does.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

#: Seconds before a command that failed is started again, at first and at most.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
#: Seconds after which a command that failed had been of use.
OF_USE = 60.0


class Supervisor:
    """Starts a command anew whenever it has ended, until it is asked to end."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._ending = self._told = False

    def run(self) -> None:
        """Return when `end` was called and the command has ended."""
        wait = FIRST_WAIT
        while not self._ending:
            began = time.monotonic()
            code = self._run_once()
            if code == 0 or time.monotonic() - began > OF_USE:
                wait = FIRST_WAIT
            if code:
                self._pause(code, wait)
                wait = min(2 * wait, LONGEST_WAIT)

    def end(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Ask the command to end, once: a second time means at once to Prefect's workers."""
        self._ending = True
        if self._child is not None and not self._told:
            self._told = True
            self._child.terminate()

    def _run_once(self) -> int:
        # A signal while the next one is being started is not for the one before.
        self._child = None
        self._child = subprocess.Popen(self._command)
        if self._ending:  # while it was being started
            self.end()
        return self._child.wait()

    def _pause(self, code: int, seconds: float) -> None:
        if not self._ending:
            print(f"Ended with code {code}; again in {seconds:.0f} s", flush=True)
        deadline = time.monotonic() + seconds
        while not self._ending and time.monotonic() < deadline:
            time.sleep(0.1)


def main() -> int:
    """Run what the command line says until SIGTERM or SIGINT; returns the exit code."""
    supervisor = Supervisor(sys.argv[1:])
    signal.signal(signal.SIGTERM, supervisor.end)
    signal.signal(signal.SIGINT, supervisor.end)
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
