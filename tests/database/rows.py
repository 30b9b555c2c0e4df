"""Making lists, runs and results for the tests."""

import uuid
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Engine

from database.batches import Stage
from database.fingerprint import answer_fingerprint
from database.lists import ListWriter
from database.results import result_rows
from database.runs import open_run, use_list

__all__ = ["CHECKED_AT", "Key", "keys", "make_list", "make_stage", "result", "stored"]

#: 2026-11-22 00:00:00.25 UTC.
CHECKED_AT = 1_795_305_600.25
#: Slot and name.
Key = tuple[int, str]


def keys(count: int, *, slots: int | None = None) -> list[Key]:
    """Make domains; with few slots, many names share one."""
    names = [f"name{n}.org" for n in range(count)]
    return [(zlib.crc32(name.encode()) % (slots or 1 << 32), name) for name in names]


def make_list(engine: Engine, domains: Sequence[Key]) -> int:
    """Store a finished list; line 1 is the first domain."""
    writer = ListWriter(engine, "a list", uuid.uuid4().hex)
    writer.add_domains([(slot, name, n) for n, (slot, name) in enumerate(domains, start=1)])
    writer.finish(description="names", ledger={"unique": len(domains)}, reasons={})
    return writer.id


def make_stage(engine: Engine, domains: Sequence[Key], *, check: str = "host") -> Stage:
    """Store a list and a run of it, and give the first pass of a check."""
    list_id = make_list(engine, domains)
    run = open_run(engine, uuid.uuid4(), "f" * 64, [check])
    use_list(engine, run.number, list_id)
    return Stage(run=run.number, list_id=list_id, check=check)


def result(key: Key, **different: Any) -> tuple[Any, ...]:
    """Make a row for `save_results`; by default a final one."""
    values: dict[str, Any] = {
        "slot": key[0],
        "name": key[1],
        "status": "resolves",
        "answer": {"a": ["192.0.2.1"]},
        "error": None,
        "attempts": 1,
        "decided_by": "127.0.0.1:53",
        "latency_ms": 1.5,
        "checked_at": CHECKED_AT,
        "final": True,
    }
    values |= different
    values.setdefault("fingerprint", answer_fingerprint(values["answer"], frozenset()))
    return tuple(values.values())


def stored(engine: Engine, run: int, *, rows_at_once: int = 1000) -> list[tuple[Any, ...]]:
    """List all results of a run, as for the result file but for the time and what changed."""
    chunks: Iterable[list[tuple[Any, ...]]] = result_rows(engine, run, rows_at_once)
    return [row[:-2] for chunk in chunks for row in chunk]
