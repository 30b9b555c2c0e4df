"""A sliding window of task runs: as one ends, the next one is submitted, to any task runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

from prefect.futures import PrefectFuture

from tasks.errors import BatchesFailed


def sliding_window(
    submit: Callable[[dict[str, Any]], PrefectFuture[Any]],
    batches: Iterable[dict[str, Any]],
    width: int,
) -> Iterator[Any]:
    """
    Submit batches, at most `width` of them under way at once, and yield their results as they end.

    Memory follows the width, not the number of batches. After the first batch that failed for good,
    or an error of whoever makes them, nothing more is submitted; what is under way is waited for.

    Raises:
        BatchesFailed: Some failed, after all their retries.
        Exception: Whatever `batches` raised.
    """
    ended: SimpleQueue[PrefectFuture[Any]] = SimpleQueue()
    source = iter(batches)
    under_way = 0
    failures: list[str] = []
    broken: Exception | None = None
    while True:
        try:
            while under_way < width and not failures and not broken:
                submit(next(source)).add_done_callback(ended.put)
                under_way += 1
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - it is raised when nothing is under way any more
            broken = error
        if not under_way:
            break
        future = ended.get()
        under_way -= 1
        future.wait()
        state = future.state
        if state.is_completed():
            yield state.result()
        else:
            failures.append(state.message or state.name or "no reason given")
    if broken:
        raise broken
    if failures:
        raise BatchesFailed(_summary(failures))


def _summary(failures: list[str]) -> str:
    count = f"{len(failures)} batches" if len(failures) > 1 else "a batch"
    return f"{count} failed ({failures[0]}); what was checked is kept: run it again to go on"
