"""Hypercorn, a web server that speaks HTTP/2, in a thread of this process."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

__all__ = ["running_asgi"]


@contextlib.contextmanager
def running_asgi(application: Any, *, certificate: Path, key: Path) -> Iterator[int]:
    """Serve an ASGI application over TLS on a loopback port, which is given."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    ended = asyncio.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    port = int(listening.getsockname()[1])
    config = Config()
    # Hypercorn closes it.
    config.bind = [f"fd://{listening.detach()}"]
    config.certfile, config.keyfile = str(certificate), str(key)
    config.errorlog = None
    config.graceful_timeout = 0
    serving = serve(application, config, shutdown_trigger=ended.wait)
    running = asyncio.run_coroutine_threadsafe(serving, loop)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        running.result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
