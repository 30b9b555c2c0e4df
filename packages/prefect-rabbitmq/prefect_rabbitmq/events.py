"""Prefect's events, by which its server learns of the states of task runs."""

from __future__ import annotations

from prefect.events.clients import PrefectEventsClient
from prefect.events.worker import (
    EventsWorker,
    emit_events_to_cloud,
    should_emit_events_to_running_server,
)

#: Tries, one a second, to reach a server that is away. Prefect's own 10 would lose the states of
#: task runs while a server restarts; and a process that is to end has to end at some time.
RECONNECTION_ATTEMPTS = 600


def keep_events() -> None:
    """Have this process keep its events while the server is away, and send them afterwards."""
    if emit_events_to_cloud() or not should_emit_events_to_running_server():
        return
    # Whoever has chosen another client knows why.
    if EventsWorker._client_override is None:  # noqa: SLF001
        EventsWorker.set_client_override(
            PrefectEventsClient, reconnection_attempts=RECONNECTION_ATTEMPTS
        )
