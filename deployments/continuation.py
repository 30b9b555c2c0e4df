"""
Going on with a run whose process died, when the same command is typed again.

A retried flow run comes with the id that it had, and so finds what it has done. `make run` begins
a new flow run each time; it takes over what an earlier one of the same file and checks has left,
if no process is at work on that any more. A lock tells, which the kernel drops with its process.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.flow_engine import run_flow_sync
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS
from prefect.states import Crashed, Pending

from database.engine import open_database
from database.runs import adopt_run
from tasks.errors import InputError
from tasks.load import LoadError
from tasks.plan import make_plan
from tasks.settings import Settings
from tasks.source import Request, request_fingerprint, source_name

#: Runs a flow with parameters, and returns its final state.
Run = Callable[[Flow[..., Any], Mapping[str, Any]], State[Any]]


class ServerNotStarted(Exception):
    """Prefect's temporary server did not start, or not in time."""


@contextmanager
def continued(request: Request, checks: Sequence[Any]) -> Iterator[Run]:
    """
    Give a function that runs a flow in this process, and lets it go on where another stopped.

    Args:
        request: What is to be checked.
        checks: What is to be checked, as names and nodes.

    Yields:
        ``run(flow, parameters) -> final state``.

    Raises:
        InputError: A setting is wrong, or the checks are.
        CommandError: A check is unknown.
        DatabaseError: The database cannot be used.
        ServerNotStarted: Prefect's temporary server does not answer; `run` raises it.
    """
    settings = Settings()
    plan = make_plan(checks)
    fingerprint = _fingerprint(request)
    with _locked(settings.home.expanduser() / "locks", fingerprint) as alone:

        def run(flow: Flow[..., Any], parameters: Mapping[str, Any]) -> State[Any]:
            told = dict(parameters)
            with _client() as client:
                created = client.create_flow_run(
                    flow, name=source_name(request.file), parameters=told, state=Pending()
                )
                if alone and fingerprint is not None:
                    engine = open_database(settings.database)
                    before = adopt_run(engine, created.id, fingerprint, plan.as_json())
                    _close(client, before, created.name)
            state = run_flow_sync(flow, flow_run=created, parameters=told, return_type="state")
            return cast("State[Any]", state)

        yield run


def _client() -> SyncPrefectClient:
    """Return a client; without PREFECT_API_URL Prefect starts a server of its own for it."""
    try:
        return get_client(sync_client=True)
    except RuntimeError as error:
        reason = f"Prefect's temporary server: {error}"
        if "Timed out" in reason and "exited" not in reason:
            seconds = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
            reason += (
                f" PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS gives it more than {seconds} s."
            )
        raise ServerNotStarted(f"{reason} Or set PREFECT_API_URL to a server of yours") from error


def _close(client: SyncPrefectClient, before: UUID | None, successor: str) -> None:
    """Say in Prefect's UI that a flow run whose process died is not running any more."""
    if before is None:
        return
    # Prefect's own database may be younger than ours, and not know it.
    with suppress(ObjectNotFound):
        client.set_flow_run_state(
            before, Crashed(message=f"Its process died; {successor} goes on with it."), force=True
        )


def _fingerprint(request: Request) -> str | None:
    try:
        return request_fingerprint(request)
    except LoadError:
        return None


@contextmanager
def _locked(folder: Path, fingerprint: str | None) -> Iterator[bool]:
    if fingerprint is None:
        yield False
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{fingerprint}.lock").open("w")
    except OSError as error:
        message = f"ROLLCALL_HOME: {folder} cannot be written to: {error.strerror}"
        raise InputError(message) from error
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
