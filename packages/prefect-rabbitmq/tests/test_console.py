"""A process whose console is gone."""

import subprocess
import sys
from pathlib import Path

#: Logs once it is told to, says that it is still there, and ends.
PROGRAM = """
import sys
from pathlib import Path
from prefect.logging import get_logger
from prefect.logging.configuration import setup_logging
from prefect_rabbitmq.console import outlive_console

setup_logging()
outlive_console()
logger = get_logger("rabbitmq")
logger.warning("ready")
sys.stdin.read()
logger.warning("nobody reads this")
logger.warning("nor this")
Path(sys.argv[1]).touch()
"""


def test_nobody_has_to_read_the_console(tmp_path: Path) -> None:
    """A process goes on when the pipe that it logs to has been closed at the other end."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "alive")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stderr
    assert b"ready" in process.stderr.readline()
    process.stderr.close()
    process.stdin.close()
    process.wait()
    assert (tmp_path / "alive").exists()
