"""`watch-inbox` on a real Prefect server, with the deployment that it starts."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployments.deploying import deploy, flow_runs, undeploy
from tests.services.prefect import PrefectServer

WATCH = [sys.executable, "-c", "from flows.watch_inbox import watch_inbox; watch_inbox()"]
FILES = 12


@pytest.fixture
def deployment(flow_server: PrefectServer) -> Iterator[str]:
    """Give the id of `check-domains/on-demand`, which no worker runs."""
    yield deploy(flow_server)
    undeploy(flow_server)


def test_overlapping_watchers_start_one_run_a_file(
    flow_server: PrefectServer, deployment: str, tmp_path: Path
) -> None:
    """Two flows at once over one inbox make one run for each file, of the file where it now is."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(FILES):
        (inbox / f"n{number}.txt").write_text("python.org\n")
    environment = dict(flow_server.environment) | {
        "ROLLCALL_HOME": str(tmp_path),
        "ROLLCALL_INBOX_SETTLE_SECONDS": "0",
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    watchers = [subprocess.Popen(WATCH, env=environment, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    said = [watcher.communicate()[0].decode() for watcher in watchers]
    assert [watcher.returncode for watcher in watchers] == [0, 0], said
    runs = flow_runs(flow_server, deployment)
    files = [Path(run["parameters"]["file"]) for run in runs]
    assert sorted(file.name for file in files) == sorted(f"n{n}.txt" for n in range(FILES))
    assert all(file.read_text() == "python.org\n" for file in files)
    assert all(
        run["name"].startswith(f"{file.name} ") for run, file in zip(runs, files, strict=True)
    )
    assert list((inbox / "waiting").iterdir()) == []
