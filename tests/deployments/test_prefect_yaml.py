"""The deployments of `prefect.yaml` on a private server, run by a worker, as an operator types."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from demo.nameserver import NameServer
from tests.deployments.deploying import ROOT, deploy, flow_runs, prefect
from tests.deployments.running import statuses
from tests.services.prefect import PrefectServer, running_prefect_server, running_prefect_worker


@pytest.fixture
def server(tmp_path: Path, nameserver: NameServer) -> Iterator[PrefectServer]:
    """Give a server of the test's own, whose workers know our home and our name server."""
    directory = tmp_path / "prefect"
    directory.mkdir()
    with running_prefect_server(directory) as running:
        ours = {
            "ROLLCALL_HOME": str(tmp_path / "home"),
            "ROLLCALL_NAMESERVERS": nameserver.address,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        yield replace(running, environment={**running.environment, **ours})


def test_a_deployment_runs_on_a_worker(server: PrefectServer, tmp_path: Path) -> None:
    """`prefect deployment run` with a file completes, says what came of it, and writes results."""
    deployment = deploy(server)
    (tmp_path / "names.txt").write_text("python.org\nmailonly.org\nlost.example.net\n")
    directory = tmp_path / "worker"
    directory.mkdir()
    with running_prefect_worker(server, directory, pool="checks") as worker:
        prefect(
            server,
            *("deployment", "run", "check-domains/on-demand", "--watch"),
            *("--param", f"file={tmp_path / 'names.txt'}", "--param", 'checks=["host"]'),
        )
        (run,) = flow_runs(server, deployment)
        assert run["state"]["type"] == "COMPLETED", worker.tail()
    assert run["name"] == "names.txt"
    assert run["state"]["message"] == "3 domains. host: 1 resolves, 1 nodata, 1 nxdomain"
    (results,) = (tmp_path / "home" / "results").glob("*.csv")
    assert results.stem == run["id"]
    assert statuses(results) == [
        ("python.org", "resolves"),
        ("mailonly.org", "nodata"),
        ("lost.example.net", "nxdomain"),
    ]
    check_deployments(server)


def check_deployments(server: PrefectServer) -> None:
    """Every deployment of the file is there, on the pool, with a description and its schedule."""
    answer = httpx.post(f"{server.api_url}/deployments/filter", json={}).raise_for_status()
    found = {deployment["name"]: deployment for deployment in answer.json()}
    assert set(found) == {"on-demand", "every-minute"}
    for deployment in found.values():
        assert deployment["work_pool_name"] == "checks"
        assert deployment["description"]
        assert deployment["entrypoint"].startswith("flows.")
        steps = [next(iter(step.values())) for step in deployment["pull_steps"]]
        assert [step["directory"] for step in steps] == [str(ROOT)]
