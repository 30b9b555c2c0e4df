"""A list is there as a whole or not at all."""

import pytest
from sqlalchemy import Engine, func, select

from database.engine import reading
from database.errors import ListMissing
from database.lists import (
    ListWriter,
    StoredList,
    discard_list,
    find_list,
    read_list,
    rejected_sample,
)
from database.tables import domains, rejected, runs
from tests.database.rows import keys, make_list, make_stage

ABOUT = {
    "description": "a text of names, “quoted”",
    "truncated": "the file ended early",
    "ledger": {"lines": 3, "unique": 2, "duplicate": 1},
    "reasons": {"no dot": 7},
}


def written(engine: Engine, fingerprint: str, *, finished: bool = True) -> int:
    """Write a list of two domains and a rejected name."""
    writer = ListWriter(engine, f"list of {fingerprint}", fingerprint)
    writer.add_domains([(1, "a.org", 1), (2, "b.org", 2)])
    writer.add_rejected([(3, 0, "c", "no dot")])
    if finished:
        writer.finish(**ABOUT)
    return writer.id


def rows(engine: Engine, list_id: int) -> tuple[int, int]:
    """Count the domains and the rejected names of a list."""
    with reading(engine) as connection:
        counted = [
            connection.execute(
                select(func.count()).select_from(table).where(table.c.list_id == list_id)
            ).scalar_one()
            for table in (domains, rejected)
        ]
    return counted[0], counted[1]


def test_a_finished_list_is_as_it_was_said(engine: Engine) -> None:
    """Everything that was said of a list is found again, by its id and by its content."""
    list_id = written(engine, "f1")
    expected = StoredList(id=list_id, name="list of f1", **ABOUT)  # type: ignore[arg-type]
    assert read_list(engine, list_id) == expected
    assert find_list(engine, "f1") == expected
    assert rows(engine, list_id) == (2, 1)


def test_an_unfinished_list_is_invisible(engine: Engine) -> None:
    """Until its last row is there, a list is found neither by its id nor by its content."""
    list_id = written(engine, "f1", finished=False)
    assert find_list(engine, "f1") is None
    with pytest.raises(ListMissing):
        read_list(engine, list_id)


@pytest.mark.parametrize("list_id", [0, -1, 1, 2**40])
def test_a_list_that_is_not_there_is_named(engine: Engine, list_id: int) -> None:
    """Asking for a list that nobody made is an error in one line with its number."""
    with pytest.raises(ListMissing) as caught:
        read_list(engine, list_id)
    assert str(list_id) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_newest_loaded_list_is_found(engine: Engine) -> None:
    """Of several lists of the same content it is the last finished one, and no other content's."""
    written(engine, "f1")
    newest = written(engine, "f1")
    written(engine, "f1", finished=False)
    written(engine, "f2")
    found = find_list(engine, "f1")
    assert found is not None
    assert found.id == newest
    assert find_list(engine, "f3") is None


def test_a_discarded_list_takes_its_rows_along(engine: Engine) -> None:
    """Discarding removes an unfinished list with all its rows, and nothing of another one."""
    kept, gone = written(engine, "f1"), written(engine, "f1", finished=False)
    assert rows(engine, gone) == (2, 1)
    discard_list(engine, gone)
    assert rows(engine, gone) == (0, 0)
    assert rows(engine, kept) == (2, 1)


def test_a_finished_list_cannot_be_discarded(engine: Engine) -> None:
    """Discarding leaves a finished list alone, and may be done twice."""
    kept, gone = written(engine, "f1"), written(engine, "f2", finished=False)
    for list_id in (kept, gone, gone):
        discard_list(engine, list_id)
    assert read_list(engine, kept).id == kept


def test_a_run_survives_its_discarded_list(engine: Engine) -> None:
    """A run whose list is discarded is left without one."""
    stage = make_stage(engine, keys(3))
    unfinished = written(engine, "f2", finished=False)
    with engine.begin() as connection:
        connection.execute(runs.update().values(list_id=unfinished))
    discard_list(engine, unfinished)
    with reading(engine) as connection:
        row = connection.execute(select(runs.c.number, runs.c.list_id)).one()
    assert tuple(row) == (stage.run, None)


@pytest.mark.parametrize("limit", [0, 1, 3, 100])
def test_a_sample_is_the_beginning(engine: Engine, limit: int) -> None:
    """Rejected names come in the order of the file, no more than asked for."""
    other = make_list(engine, keys(2))
    writer = ListWriter(engine, "list", "f1")
    writer.add_rejected([(20, 0, "d", "r4"), (3, 1, "b", "r2"), (3, 0, "a", "r1")])
    writer.add_rejected([(3, 10, "c", "r3")])
    expected = [(3, "a", "r1"), (3, "b", "r2"), (3, "c", "r3"), (20, "d", "r4")]
    assert rejected_sample(engine, writer.id, limit) == expected[:limit]
    assert rejected_sample(engine, other, limit) == []
