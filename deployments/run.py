"""`make run`: sets the surroundings, then hands over to `deployments.terminal`."""

import sys

from deployments import embedded


def main() -> int:
    """Run the main job on the file that the command line names; returns the exit code."""
    embedded.prepare()
    # Prefect reads its settings when it is imported.
    from deployments import terminal

    return terminal.main()


if __name__ == "__main__":
    sys.exit(main())
