"""An event loop in a thread of its own, for servers whose test has the main thread."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

__all__ = ["running_loop"]


@contextlib.contextmanager
def running_loop(name: str) -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop while inside; what its servers' clients do to them is not reported."""
    loop = asyncio.new_event_loop()
    # Clients that hang up, and handshakes that fail, are what tests are about.
    loop.set_exception_handler(lambda _loop, _context: None)
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_end_all_tasks(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_all_tasks() -> None:
    """Leave nothing behind that the garbage collector would report in another test."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # A closed transport leaves in the next turns of the loop.
    for _ in range(5):
        await asyncio.sleep(0)
