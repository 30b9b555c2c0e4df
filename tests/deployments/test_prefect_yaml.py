"""The deployments of `prefect.yaml`, run by a worker, as an operator types."""

import json
from pathlib import Path

import pytest

from tests.deployments.conftest import Deployed
from tests.deployments.dag import DAG, assert_stored
from tests.deployments.deploying import ROOT, flow_runs, prefect
from tests.deployments.running import statuses
from tests.services.asking import ask_api

MESSAGE = "3 domains. host: 1 resolves, 1 nodata, 1 nxdomain; missing: 1 nodata, 2 skipped"


@pytest.mark.timeout(900)
def test_a_deployment_runs_on_a_worker(deployed: Deployed, home: Path, tmp_path: Path) -> None:
    """`prefect deployment run` with a file completes, says what came of it, and writes results."""
    (tmp_path / "names.txt").write_text("python.org\nmailonly.org\nlost.example.net\n")
    prefect(
        deployed.server,
        *("deployment", "run", "check-domains/on-demand", "--watch", "--watch-timeout", "240"),
        *("--param", f"file={tmp_path / 'names.txt'}", "--param", f"checks={json.dumps(DAG)}"),
    )
    (run,) = flow_runs(deployed.server, deployed.deployment_id)
    assert run["state"]["type"] == "COMPLETED", deployed.worker.tail()
    assert run["parameters"]["file"] == str(tmp_path / "names.txt")
    assert run["state"]["message"] == MESSAGE
    assert_stored(home)
    (results,) = (home / "results").glob("*.csv")
    assert results.stem == run["id"]
    assert statuses(results) == [
        ("python.org", "resolves"),
        ("python.org", "skipped"),
        ("mailonly.org", "nodata"),
        ("mailonly.org", "nodata"),
        ("lost.example.net", "nxdomain"),
        ("lost.example.net", "skipped"),
    ]
    check_deployments(f"{deployed.server.api_url}/deployments/filter")
    check_crontab(f"{deployed.server.api_url}/deployments/filter")


def check_crontab(url: str) -> None:
    """What cron did is there, with its payloads; what needs a setting is off until then."""
    body = {"flows": {"name": {"any_": ["emit-job"]}}}
    found = {
        (one["parameters"].get("command"), schedule["parameters"].get("payload")): (
            schedule["schedule"]["cron"],
            schedule["active"],
        )
        for one in ask_api("POST", url, body)
        for schedule in one["schedules"]
    }
    assert found == {
        ("cron_events", None): ("* * * * *", True),
        ("cron_frame", 5): ("* 5 * * *", False),
        ("cron_frame", 9): ("* 12 * * *", False),
    }


def check_deployments(url: str) -> None:
    """Hold them against the file: the pool, what people read, the schedule, where the code is."""
    body = {"flows": {"name": {"any_": ["check-domains", "watch-inbox"]}}}
    found = {one["name"]: one for one in ask_api("POST", url, body)}
    assert set(found) == {"on-demand", "nightly", "every-minute"}
    for deployment in found.values():
        assert deployment["work_pool_name"] == "checks"
        assert deployment["description"]
        assert deployment["entrypoint"].startswith("flows.")
        steps = [next(iter(step.values())) for step in deployment["pull_steps"]]
        assert [step["directory"] for step in steps] == [str(ROOT)]
    assert [one["schedule"]["cron"] for one in found["every-minute"]["schedules"]] == ["* * * * *"]
    (nightly,) = found["nightly"]["schedules"]
    assert (nightly["schedule"]["cron"], nightly["active"]) == ("0 3 * * *", False)
    assert found["nightly"]["parameters"] == {"file": "list:latest", "overlap": "skip"}
    assert found["on-demand"]["schedules"] == []
