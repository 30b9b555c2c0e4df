"""`make up` and `make down`: the whole stack as processes in the background."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import connect

import httpx
import psutil
import pytest

from demo.nameserver import NameServer
from tests.deployments.deploying import ROOT
from tests.deployments.running import statuses
from tests.services.asking import ask_api
from tests.services.processes import end_all, free_port, is_alive

#: Every process that was started has this in its environment.
MARK = "ROLLCALL_STACK_PART"
PATIENCE = 180.0
WORKERS = 2


class Stack:
    """What a person does in a terminal, with a home and a port of their own."""

    def __init__(self, home: Path, nameserver: str) -> None:
        self.port = free_port()
        self.folder = home / ".rollcall" / "stack"
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PREFECT_", "ROLLCALL_", "MAKE"))
        }
        self.environment = ours | {
            "HOME": str(home),
            "TMPDIR": str(home),
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "ROLLCALL_NAMESERVERS": nameserver,
            "ROLLCALL_DNS_QUERIES_PER_SECOND": "20",
        }

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type `make` and some words."""
        # What is installed is what is tested, even if `make` would install it anew.
        return self.run("make", "--assume-old=.venv/.installed", *words)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Type a command in the repository."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def processes(self) -> set[psutil.Process]:
        """Find all processes of this stack on the machine."""
        found = set()
        for process in psutil.process_iter():
            try:
                mark = process.environ().get(MARK, "")
            except psutil.Error:
                continue
            if Path(mark).parent == self.folder and is_alive(process):
                found.add(process)
        return found

    def parts(self) -> set[int]:
        """Find those that `make up` has started, without what they start when they like."""
        parents = {}
        for process in self.processes():
            with suppress(psutil.Error):
                parents[process.pid] = process.ppid()
        return {child for child, parent in parents.items() if parent not in parents}

    def workers(self) -> set[psutil.Process]:
        """Find the workers, without their supervisors and what they start."""
        found = set()
        for process in self.processes():
            with suppress(psutil.Error):
                if process.cmdline()[1:5] == ["-m", "prefect", "worker", "start"]:
                    found.add(process)
        return found

    def logs(self) -> str:
        """Return what all of it wrote."""
        return "\n\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@pytest.fixture
def stack(tmp_path: Path, nameserver: NameServer) -> Iterator[Stack]:
    """Give a stack that is not up; whatever a test leaves of it is killed."""
    stack = Stack(tmp_path, nameserver.address)
    yield stack
    end_all(sorted(stack.processes(), key=lambda process: process.pid))


@pytest.mark.timeout(900)
def test_up_run_down(stack: Stack, tmp_path: Path) -> None:
    """
    It comes up once, checks a file, and goes down without leaving a process.

    A worker that is killed is started again; killed as a whole, it is started anew by `make up`.
    """
    up = stack.make("up", f"WORKERS={WORKERS}")
    assert up.returncode == 0, up.stdout + up.stderr + stack.logs()
    address = f"http://127.0.0.1:{stack.port}"
    assert f"Prefect's UI: {address}\nLogs: {stack.folder}\n" in up.stdout
    assert (
        "<title>" in httpx.get(address, follow_redirects=True, timeout=60).raise_for_status().text
    )
    workers = ask_api("POST", f"{address}/api/work_pools/checks/workers/filter", {})
    assert {worker["name"] for worker in workers} == {"worker_1", "worker_2"}

    before = stack.parts()
    again = stack.make("up")
    assert again.returncode == 0
    assert again.stdout.startswith("It is up already, with 2 workers\n")
    assert stack.parts() == before

    kill_a_worker(stack)
    end_all(sorted(stack.processes(), key=lambda process: process.pid))
    anew = stack.make("up", f"WORKERS={WORKERS}")
    assert anew.returncode == 0, anew.stdout + anew.stderr
    assert "Starting Prefect's server" in anew.stdout

    check_a_file(stack, tmp_path, address)
    begin_a_long_run(stack, tmp_path)
    before = stack.processes()
    down = stack.make("down")
    assert (down.returncode, down.stdout) == (0, "Stopping server, worker_1, worker_2\n")
    assert stack.processes() == set()
    assert not any(is_alive(process) for process in before)
    assert not list(stack.folder.glob("*.pid"))
    assert stack.make("down").stdout == "Nothing is up\n"
    # What was under way can be retried: it does not seem to run.
    assert states(tmp_path) == {"COMPLETED", "CRASHED"}


def check_a_file(stack: Stack, folder: Path, address: str) -> None:
    """Have a file checked by the deployment, as a person in another terminal does."""
    (folder / "names.txt").write_text("python.org\nlost.example.net\n")
    stack.environment["PREFECT_API_URL"] = f"{address}/api"
    done = stack.run(
        *(sys.executable, "-m", "prefect", "deployment", "run", "check-domains/on-demand"),
        *("--watch", "--watch-timeout", "240", "--param", f"file={folder / 'names.txt'}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr + stack.logs()
    (results,) = (folder / ".rollcall" / "results").glob("*.csv")
    assert statuses(results) == [("python.org", "resolves"), ("lost.example.net", "nxdomain")]


def begin_a_long_run(stack: Stack, folder: Path) -> None:
    """Start a run that takes minutes, and wait until it asks for names."""
    (folder / "many.txt").write_text("".join(f"name{n}.example.net\n" for n in range(10_000)))
    words = ("run", "check-domains/on-demand", "--param", f"file={folder / 'many.txt'}")
    assert stack.run(sys.executable, "-m", "prefect", "deployment", *words).returncode == 0
    deadline = time.monotonic() + PATIENCE
    while "checking 10,000 domains" not in stack.logs():
        assert time.monotonic() < deadline, stack.logs()
        time.sleep(0.1)


def states(home: Path) -> set[str]:
    """Return how the flow runs of the list checks ended, from the server's database."""
    question = (
        "SELECT state_type FROM flow_run JOIN flow ON flow.id = flow_run.flow_id "
        "WHERE flow.name = 'check-domains'"
    )
    with closing(connect(home / ".prefect" / "prefect.db")) as database:
        return {state for (state,) in database.execute(question)}


def kill_a_worker(stack: Stack) -> None:
    """Kill a worker, and wait until it is followed by another."""
    before = stack.workers()
    end_all([next(iter(before))])
    deadline = time.monotonic() + PATIENCE
    while not stack.workers() - before:
        assert time.monotonic() < deadline, stack.logs()
        time.sleep(0.1)


@pytest.mark.parametrize("words", [["WORKERS=0"], ["WORKERS=many"]])
def test_a_stack_needs_workers(stack: Stack, words: list[str]) -> None:
    """A number that makes no stack is an error, and nothing is started."""
    up = stack.make("up", *words)
    assert up.returncode == 2
    assert "WORKERS" in up.stderr or "--workers" in up.stderr
    assert stack.processes() == set()


def test_a_port_that_is_taken(stack: Stack, nameserver: NameServer) -> None:
    """Somebody else's server is left alone; one line says which port, and what to do."""
    taken = nameserver.address.rpartition(":")[2]
    stack.environment["PREFECT_SERVER_API_PORT"] = taken
    up = stack.make("up")
    assert up.returncode == 2
    (line,) = [line for line in up.stderr.splitlines() if re.match("error: ", line)]
    assert f"port {taken} is taken" in line
    assert "PREFECT_SERVER_API_PORT" in line
    assert stack.processes() == set()
