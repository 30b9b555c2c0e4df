"""A server with the deployments of `prefect.yaml`, and a worker for them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from demo.nameserver import NameServer
from tests.deployments.deploying import deploy, undeploy
from tests.services.prefect import PrefectServer, running_prefect_worker
from tests.services.processes import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What an operator has after `make deploy` and the start of a worker."""

    server: PrefectServer
    worker: Server
    #: The id of `check-domains/on-demand`.
    deployment_id: str


@pytest.fixture
def deployed(
    flow_server: PrefectServer, home: Path, nameserver: NameServer, tmp_path: Path
) -> Iterator[Deployed]:
    """Give the deployments on a server, and a worker that knows our home and our name server."""
    ours = {
        "ROLLCALL_HOME": str(home),
        "ROLLCALL_NAMESERVERS": nameserver.address,
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    server = replace(flow_server, environment={**flow_server.environment, **ours})
    try:
        deployment_id = deploy(server)
        with running_prefect_worker(server, tmp_path, pool="checks", kind="rabbitmq") as worker:
            yield Deployed(server=server, worker=worker, deployment_id=deployment_id)
    finally:
        undeploy(server)
