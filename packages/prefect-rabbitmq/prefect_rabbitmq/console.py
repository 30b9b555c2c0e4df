"""What Prefect logs to the console, when there is nobody any more who reads that."""

from __future__ import annotations

import logging
from functools import partial

from prefect.logging.handlers import PrefectConsoleHandler


def outlive_console() -> None:
    """
    Have lines for the console go nowhere when it is gone, in this process.

    A flow run's process writes to a pipe of its worker. When that is killed, the next line would
    raise SystemExit, so the flow run would end in the midst of its work; or, in a thread that keeps
    a connection, only that thread would, and the flow would wait for ever.
    """
    for logger in [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, PrefectConsoleHandler):
                console = handler.console
                quiet = partial(setattr, console, "quiet", True)
                console.on_broken_pipe = quiet  # type: ignore[method-assign]
