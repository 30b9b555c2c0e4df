"""Opening Prefect's API clients while its server may be away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from prefect.exceptions import PrefectException

logger = logging.getLogger("prefect.rabbitmq.clients")

Client = TypeVar("Client")
#: Seconds between two tries, and tries between two lines in the log.
AGAIN_SECONDS, LINES = 1.0, 60


def opened(opening: Callable[[], Client]) -> Client:
    """
    Open a client, which first asks the server for its version; wait for one that is away.

    Args:
        opening: Opens it. Prefect says with a bare `RuntimeError` that there is no server.
    """
    tries = 0
    while True:
        try:
            return opening()
        except (RuntimeError, httpx.HTTPError, PrefectException) as error:
            if tries % LINES == 0:
                logger.warning("Prefect's API cannot be used: %s. Trying on.", error)
            tries += 1
            time.sleep(AGAIN_SECONDS)
