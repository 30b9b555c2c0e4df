"""Groups: first in, first out, one at a time over all workers; others beside; more at a time."""

from tests.jobs.yard import Yard
from tests.services.marks import most_at_once

NUMBER = 15


def test_groups(yard: Yard) -> None:
    """Two workers: each group in the order of its numbers, and both groups at the same time."""
    for group in ("group-a", "group-b"):
        yard.make_queue(group, limit=1)
    jobs = {
        group: yard.emit_all(
            [{"key": f"{group}-{number}"} for number in range(NUMBER)], work_queue=group
        )
        for group in ("group-a", "group-b")
    }
    # The first of one group holds, and the other one goes on.
    gate = yard.gate("a")
    held = yard.emit(work_queue="group-a", key="group-a-held", gate=gate)
    with yard.worker("worker_1"), yard.worker("worker_2"):
        for id_ in jobs["group-b"]:
            yard.until(id_, "completed")
        yard.wait(lambda: yard.keys("start", "group-a-held"))
        last = yard.emit(work_queue="group-a", key="group-a-last")
        yard.until(yard.emit(work_queue="group-b", key="group-b-later"), "completed")
        assert not yard.keys("start", "group-a-last")
        yard.open("a")
        yard.until(last, "completed")
    for group, ids in jobs.items():
        assert [yard.job(id_).number for id_ in ids] == list(range(1, NUMBER + 1))
        expected = [f"{group}-{number}" for number in range(NUMBER)]
        assert yard.keys("start", group)[:NUMBER] == expected
        assert most_at_once(yard.marks("", group)) == 1
    assert yard.job(held).number == NUMBER + 1


def test_more_workers_for_a_group(yard: Yard) -> None:
    """A higher limit lets more run at once; without one other workers take from it, too."""
    yard.make_queue("wide", limit=3)
    gate = yard.gate("wide")
    three = {"PREFECT_RABBITMQ_CONCURRENCY": "3", "PREFECT_RABBITMQ_PREFETCH": "0"}
    with yard.worker("worker_1", "wide", **three), yard.worker("worker_2", "wide", **three):
        jobs = [yard.emit(work_queue="wide", key=f"wide-{n}", gate=gate) for n in range(3)]
        yard.wait(lambda: len(yard.keys("start", "wide-")) == 3)
        assert len({yard.job(id_).worker for id_ in jobs}) == 1
        with yard.api() as client:
            queue = client.read_work_queue_by_name("wide", work_pool_name="checks")
            # `update_work_queue` leaves out what is None.
            taken_away = {"concurrency_limit": None}
            client._client.patch(f"/work_queues/{queue.id}", json=taken_away).raise_for_status()
        # The one that has three holds three more ready.
        jobs += [yard.emit(work_queue="wide", key=f"wide-{n}", gate=gate) for n in range(3, 9)]
        yard.wait(lambda: len(yard.keys("start", "wide-")) == 6)
        yard.open("wide")
        for id_ in jobs:
            yard.until(id_, "completed")
    assert {yard.job(id_).worker for id_ in jobs} == {"worker_1", "worker_2"}
