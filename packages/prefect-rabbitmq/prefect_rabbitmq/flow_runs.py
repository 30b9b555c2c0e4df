"""Whether the flow runs are still on whose task runs a worker holds: one API call a second."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun

logger = logging.getLogger("prefect.rabbitmq.flow_runs")

#: How soon a cancelled flow run is noticed.
SECONDS = 1.0
#: Flow runs that the API gives at once.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a flow run."""

    #: Whether it has ended or is to end.
    is_over: bool
    #: How often it was started; task runs of an earlier attempt are of no use any more.
    run_count: int


class FlowRuns:
    """Reads the standing of flow runs in a thread, as long as any are asked for."""

    def __init__(self, read: Callable[[dict[UUID, Standing | None]], Any]) -> None:
        """Prepare; `read` is called in the thread; None is for one that could not be read."""
        self._read = read
        self._wanted: frozenset[UUID] = frozenset()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rabbitmq-flow-runs", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, soon."""
        self._stopping = True
        self._wake.set()

    def want(self, ids: Iterable[UUID]) -> None:
        """Say which are of interest now; new ones are read at once."""
        wanted = frozenset(ids)
        new = wanted - self._wanted
        self._wanted = wanted
        if new:
            self._wake.set()

    def _run(self) -> None:
        with get_client(sync_client=True) as client:
            while not self._stopping:
                self._wake.wait(SECONDS if self._wanted else None)
                self._wake.clear()
                if wanted := self._wanted:
                    self._read(self._standings(client, wanted))

    def _standings(
        self, client: SyncPrefectClient, wanted: frozenset[UUID]
    ) -> dict[UUID, Standing | None]:
        found: dict[UUID, FlowRun] = {}
        ids = list(wanted)
        try:
            for first in range(0, len(ids), PAGE):
                page = FlowRunFilter(id=FlowRunFilterId(any_=ids[first : first + PAGE]))
                found |= {run.id: run for run in client.read_flow_runs(flow_run_filter=page)}
        except Exception as error:  # noqa: BLE001 - a proxy may answer anything
            logger.debug("The API cannot be asked for flow runs: %s", error)
            return dict.fromkeys(wanted)
        # One that was deleted is over.
        return {
            id_: _standing(found[id_]) if id_ in found else Standing(is_over=True, run_count=0)
            for id_ in wanted
        }


def _standing(flow_run: FlowRun) -> Standing:
    state = flow_run.state
    is_over = state is not None and (state.is_final() or state.is_cancelling())
    return Standing(is_over=is_over, run_count=flow_run.run_count)
