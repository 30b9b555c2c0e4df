"""The supervisor: a worker that has ended is started anew, until somebody stops the stack."""

import signal
import sys
from pathlib import Path

from tests.deployments.deploying import ROOT
from tests.services.processes import Server, running, wait_until

PATIENCE = 60.0
#: Ends with the codes given, one a start; then it waits, and says how often it was asked to end.
COMMAND = """\
import signal, sys, time
from pathlib import Path
starts = Path(__file__).with_suffix(".starts")
starts.open("a").write(".")
number = len(starts.read_text())
print("start", number, flush=True)
if number < len(sys.argv):
    sys.exit(int(sys.argv[number]))
asked = 0
def ask(*_):
    global asked
    asked += 1
signal.signal(signal.SIGTERM, ask)
print("waiting", flush=True)
while not asked:
    time.sleep(0.05)
time.sleep(0.5)
print("asked", asked, flush=True)
"""


def says(server: Server, text: str) -> None:
    """Wait until it has said something."""
    wait_until(lambda: text in server.tail(), server=server, seconds=PATIENCE)


def test_it_is_started_anew_until_the_end(tmp_path: Path) -> None:
    """After code 0 at once, after another later; asked to end, it passes that on once and waits."""
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    command = [sys.executable, "-m", "deployments.supervise", sys.executable, str(script), "0", "3"]
    environment = {"PYTHONPATH": str(ROOT)}
    with running(command, directory=tmp_path, name="it", environment=environment) as server:
        says(server, "waiting")
        again = "Ended with code 3; again in 1 s"
        assert server.tail() == f"start 1\nstart 2\n{again}\nstart 3\nwaiting\n"
        assert server.stop(stop_signal=signal.SIGTERM) == 0
        assert server.tail().endswith("asked 1\n")


def test_it_ends_while_it_waits(tmp_path: Path) -> None:
    """Asked to end between two starts, it ends and does not start again."""
    script = tmp_path / "command.py"
    script.write_text("import sys; sys.exit(1)")
    command = [sys.executable, "-m", "deployments.supervise", sys.executable, str(script)]
    environment = {"PYTHONPATH": str(ROOT)}
    with running(command, directory=tmp_path, name="it", environment=environment) as server:
        says(server, "again in 2 s")
        assert server.stop(stop_signal=signal.SIGTERM) == 0
