"""A small scheduled flow: each new file in the inbox starts one run."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.deployments import run_deployment
from prefect.logging import get_run_logger
from prefect.states import Completed

from tasks.inbox import start_runs
from tasks.settings import Settings


@flow(name="watch-inbox", description="Start a run for each new file in the inbox, exactly once.")
def watch_inbox(deployment: str = "check-domains/on-demand") -> Any:
    """
    Start a run of a deployment for each file that was put into the inbox.

    Args:
        deployment: What to run, as ``flow/deployment``.
    """

    def start(file: Path, claim: str) -> None:
        run_deployment(
            deployment,
            parameters={"file": str(file)},
            flow_run_name=f"{file.name} {claim[:15]}",
            idempotency_key=claim,
            timeout=0,
            as_subflow=False,
        )

    settings = Settings()
    names = start_runs(settings.inbox_folder, settings.inbox_settle_seconds, start)
    if names:
        get_run_logger().info("Started a run for %s.", ", ".join(names))
    return Completed(message=f"{len(names)} new files")
