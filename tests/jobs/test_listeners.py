"""A worker is the listener: before or after the message, one or many, resident or for once."""

from tests.jobs.yard import Yard


def test_it_comes_after_the_message(yard: Yard) -> None:
    """Jobs wait for it; it takes from its work queue only; and it may stay only for these."""
    yard.declare("cron_frame", "cron_events")
    with yard.api() as client:
        for name in ("cron_frame", "cron_events"):
            client.create_work_queue(name, work_pool_name="checks")
    jobs = yard.emit_all([{"key": f"frame-{n}"} for n in range(5)], work_queue="cron_frame")
    other = yard.emit(work_queue="cron_events", key="event")
    with yard.once("for-once", "cron_frame") as worker:
        assert worker.process.wait(120) == 0, worker.tail()
    assert [yard.job(id_).state for id_ in jobs] == ["completed"] * 5
    assert yard.job(other).state == "queued"
    with yard.worker("resident", "cron_events"):
        yard.until(other, "completed")
        late = yard.emit(work_queue="cron_events", key="late")
        yard.until(late, "completed")
    assert yard.job(late).worker == "resident"


def test_many(yard: Yard) -> None:
    """Each job is done by one of them."""
    gate = yard.gate("many")
    two = {"PREFECT_RABBITMQ_CONCURRENCY": "2", "PREFECT_RABBITMQ_PREFETCH": "0"}
    jobs = yard.emit_all([{"key": f"many-{n}", "gate": gate} for n in range(4)])
    with yard.worker("one", "default", **two), yard.worker("two", "default", **two):
        yard.wait(lambda: len(yard.keys("start", "many-")) == 4)
        yard.open("many")
        for id_ in jobs:
            yard.until(id_, "completed")
    assert sorted(str(yard.job(id_).worker) for id_ in jobs) == ["one", "one", "two", "two"]
    assert sorted(yard.keys("start", "many-")) == [f"many-{n}" for n in range(4)]
