"""What an operator types to put the deployments of `prefect.yaml` on a server."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from tests.services.asking import ask_api
from tests.services.prefect import PrefectServer

__all__ = ["ROOT", "deploy", "flow_runs", "prefect", "undeploy"]

#: Where `prefect.yaml` is.
ROOT = Path(__file__).parents[2]


def prefect(server: PrefectServer, *words: str) -> str:
    """Run Prefect's command line in the repository, and return what it says."""
    return _run(server, "prefect", *words)


def deploy(server: PrefectServer) -> str:
    """
    Make the work pool and every deployment, as `make deploy` does.

    Returns:
        The id of `check-domains/on-demand`.
    """
    _run(server, "deployments.deploy")
    url = f"{server.api_url}/deployments/name/check-domains/on-demand"
    return str(ask_api("GET", url)["id"])


def _run(server: PrefectServer, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=dict(server.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def undeploy(server: PrefectServer) -> None:
    """Take the deployments and the pool away again, with the runs that nobody has begun."""
    with (
        temporary_settings({PREFECT_API_URL: server.api_url}),
        # It asks again when the server is busy (503).
        get_client(sync_client=True) as client,
    ):
        ours = WorkPoolFilter(name=WorkPoolFilterName(any_=["checks"]))
        for deployment in client.read_deployments(work_pool_filter=ours):
            # A request that the client has sent again may have done it the first time.
            with suppress(ObjectNotFound):
                client.delete_deployment(deployment.id)
        with suppress(ObjectNotFound):
            client.delete_work_pool("checks")


def flow_runs(server: PrefectServer, deployment_id: str) -> list[dict[str, Any]]:
    """Return the flow runs of a deployment."""
    body = {"deployments": {"id": {"any_": [deployment_id]}}, "limit": 200}
    found: list[dict[str, Any]] = ask_api("POST", f"{server.api_url}/flow_runs/filter", body)
    return found
