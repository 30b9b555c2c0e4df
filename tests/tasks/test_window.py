"""The sliding window on Prefect's own thread pool."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.errors import BatchesFailed
from tasks.runner import Submit
from tasks.window import Window, Work
from tests.services.prefect import PrefectServer

WIDTH = 3


class Account:
    """What the batches do, and an account of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.submitted = 0
        self.under_way = 0
        self.most = 0
        self.ended: list[int] = []
        #: Nobody goes on before this one does.
        self.gate = threading.Event()
        self.gate.set()

    def batches(self, count: int, **different: Any) -> Iterator[dict[str, Any]]:
        """Yield batches, and count how many were asked for."""
        for number in range(count):
            self.submitted += 1
            yield {"number": number, **different.get(f"number_{number}", {})}

    def do(self, batch: dict[str, Any]) -> int:
        """Do one."""
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        if batch.get("fails"):
            self._done(batch)
            raise ValueError(batch["fails"])
        time.sleep(0.1)
        assert self.gate.wait(60)
        self._done(batch)
        return int(batch["number"])

    def _done(self, batch: dict[str, Any]) -> None:
        with self._lock:
            self.under_way -= 1
            self.ended.append(batch["number"])


class Feed:
    """A source that has at most `WIDTH` batches under way."""

    def __init__(self, batches: Iterator[dict[str, Any]], seen: Callable[[Any], None]) -> None:
        self.closed = False
        self.found: list[Any] = []
        self._batches, self._seen, self._under_way = batches, seen, 0

    def next(self) -> Work | None:
        """Give the next batch, if there is room for it."""
        if self._under_way == WIDTH:
            return None
        batch = next(self._batches, None)
        self.closed = batch is None
        if batch is None:
            return None
        self._under_way += 1
        return Work(batch=batch)

    def ended(self, work: Work, future: PrefectFuture[Any], result: Any) -> None:
        """Keep the result."""
        assert result == work.batch["number"]
        assert future.state.is_completed()
        self._under_way -= 1
        self._seen(result)
        self.found.append(result)


def submitter(step: Any) -> Submit:
    """Give what submits a batch to the flow's own task runner."""
    return lambda batch, after: step.submit(batch, wait_for=after)


@pytest.fixture
def work() -> Account:
    """Give a new account."""
    return Account()


@pytest.fixture
def run(flow_server: PrefectServer, work: Account) -> Iterator[Callable[..., list[Any]]]:
    """Give a function that runs batches in a flow, and returns what the window yielded."""
    step = task(name="step", cache_policy=NO_CACHE)(work.do)

    def run(
        batches: Iterator[dict[str, Any]], seen: Callable[[Any], None] = lambda _: None
    ) -> list[Any]:
        @flow(task_runner=ThreadPoolTaskRunner(max_workers=10))  # type: ignore[arg-type]
        def windowed() -> list[Any]:
            feed = Feed(batches, seen)
            Window([feed], submitter(step)).run()
            return feed.found

        return windowed()

    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        yield run


def test_every_result_comes_and_no_more_than_the_width_are_under_way(
    work: Account, run: Callable[..., list[Any]]
) -> None:
    """Each batch's result is yielded once; never more batches than the width run at once."""
    assert sorted(run(work.batches(20))) == list(range(20))
    assert 1 < work.most <= WIDTH


def test_the_source_is_read_as_it_is_needed(work: Account, run: Callable[..., list[Any]]) -> None:
    """No batch is made before there is room for it, however many there are."""
    ahead: list[int] = []

    def seen(_: Any) -> None:
        ahead.append(work.submitted - len(ahead))

    run(work.batches(12), seen)
    assert len(ahead) == 12
    assert max(ahead) <= WIDTH


def test_no_batches_are_no_work(work: Account, run: Callable[..., list[Any]]) -> None:
    """An empty source yields nothing, and ends."""
    assert run(work.batches(0)) == []


def test_after_a_failure_nothing_new_begins_and_the_rest_is_waited_for(
    work: Account, run: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was under way beside a failed batch ends and is yielded; nothing else is submitted."""
    seen: list[Any] = []
    work.gate.clear()
    settle = Window._settle

    def settled(window: Window, future: PrefectFuture[Any]) -> None:
        settle(window, future)
        # The others end when this one's failure has been seen.
        work.gate.set()

    monkeypatch.setattr(Window, "_settle", settled)
    with pytest.raises(BatchesFailed) as failed:
        run(work.batches(20, number_0={"fails": "out of cheese"}), seen.append)
    assert sorted(seen) == [1, 2]
    assert sorted(work.ended) == [0, 1, 2]
    assert work.submitted == WIDTH
    assert "a batch failed (" in str(failed.value)
    assert "out of cheese" in str(failed.value)
    assert "run it again to go on" in str(failed.value)


def test_several_failures_are_counted(work: Account, run: Callable[..., list[Any]]) -> None:
    """The message says how many batches failed, and why the first one did."""
    failing = {f"number_{n}": {"fails": "out of cheese"} for n in range(WIDTH)}
    with pytest.raises(BatchesFailed, match=r"^3 batches failed \(.*out of cheese"):
        run(work.batches(WIDTH, **failing))


def test_when_the_source_fails_what_is_under_way_is_waited_for(
    work: Account, run: Callable[..., list[Any]]
) -> None:
    """An error of whoever makes the batches comes after the results of those that were made."""
    seen: list[Any] = []

    def broken() -> Iterator[dict[str, Any]]:
        yield from work.batches(2)
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError, match="away"):
        run(broken(), seen.append)
    assert sorted(seen) == [0, 1]


def test_a_source_may_wait_for_another_one(flow_server: PrefectServer, work: Account) -> None:
    """What one source has ended lets another go on, and Prefect knows that it came after it."""
    step = task(name="step", cache_policy=NO_CACHE)(work.do)

    class Second(Feed):
        """Has one batch for each of the first one's, when that has ended."""

        def __init__(self) -> None:
            super().__init__(iter(()), lambda _: None)
            self.ready: list[Work] = []

        def next(self) -> Work | None:
            self.closed = first.closed and not first.under_way and not self.ready
            return self.ready.pop() if self.ready else None

        def ended(self, work: Work, future: PrefectFuture[Any], result: Any) -> None:
            assert future.state.is_completed()
            self.found.append((result, [after.task_run_id for after in work.after]))

    class First(Feed):
        """Tells the second one."""

        def __init__(self) -> None:
            super().__init__(work.batches(5), lambda _: None)
            self.ids: dict[int, Any] = {}

        @property
        def under_way(self) -> int:
            """How many are under way."""
            return self._under_way

        def ended(self, work: Work, future: PrefectFuture[Any], result: Any) -> None:
            super().ended(work, future, result)
            self.ids[result + 100] = future.task_run_id
            second.ready.append(Work(batch={"number": result + 100}, after=[future]))

    first, second = First(), Second()

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=10))  # type: ignore[arg-type]
    def windowed() -> None:
        Window([second, first], submitter(step)).run()

    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        windowed()
    assert dict(second.found) == {number: [run] for number, run in first.ids.items()}
    assert sorted(first.ids) == [100, 101, 102, 103, 104]
