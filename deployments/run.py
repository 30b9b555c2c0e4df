"""`make run`: sets the surroundings, then hands over to `deployments.terminal`."""

import logging
import signal
import sys

from deployments import embedded


def main() -> int:
    """Run the main job on the file that the command line names; returns the exit code."""
    embedded.prepare()
    # Ended by a supervisor as by Ctrl-C: else Prefect's temporary server would outlive us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Prefect reads its settings when it is imported.
    from deployments import terminal

    code = terminal.main()
    # All is said. After an interruption, threads still end their domains, and what they log has no
    # way to Prefect's server while the interpreter goes down: no traceback for each of them.
    logging.raiseExceptions = False
    return code


if __name__ == "__main__":
    sys.exit(main())
