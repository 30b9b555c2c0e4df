"""
The surroundings of an embedded run, set before Prefect is imported.

Prefect reads its settings once, at import; a variable that is set already is left as it is.
"""

from __future__ import annotations

import os

DEFAULTS = {
    # The recorder's default of one row a transaction records some 40 task runs a second and drops
    # what does not fit its queue.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "500",
    # Seconds; by default what does not fill a batch is recorded every five.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    # Seconds; its first start makes its tables: 5 s, on a busy machine more than the default's 20.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
    # The terminal belongs to the progress bar and the summary; the logs are in Prefect's UI.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
}


def prepare() -> None:
    """Set what is not set."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
