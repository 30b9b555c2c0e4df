"""The thread of an export."""

import asyncio
import threading

import pytest

from commands.cron_frame.thread import ExportThread, Stopped


def test_it_is_waited_for_however_often_it_is_cancelled() -> None:
    """A time limit and the end of a run may come one after the other; the work ends first."""
    asked, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    async def cancel_twice() -> None:
        async with ExportThread() as thread:

            def work() -> None:
                with pytest.raises(Stopped):  # noqa: PT012 - until it is asked to stop
                    while True:
                        thread.stop.check()
                asked.set()
                assert may_end.wait(60)
                ended.append(True)

            running = asyncio.create_task(thread.run(work))
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.to_thread(asked.wait, 60)
            running.cancel()
            await asyncio.sleep(0)
            assert not running.done()
            may_end.set()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert ended == [True]
            assert thread.stop.over.is_set()

    asyncio.run(cancel_twice())
