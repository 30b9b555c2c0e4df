"""The step that tells people how a run ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from typing import Annotated, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import WithJsonSchema

from database import comparison
from tasks.errors import InputError
from tasks.notify import Change, Entry, Notice, notify, parse_entries
from tasks.report import before_and_after
from tasks.settings import Settings
from tasks.summary import CheckSummary, RunSummary

#: Of each check so many changed domains are named.
EXAMPLES = 10
#: What a parameter of a flow is annotated with; what is wrong with one is told in one line.
NotifyParameter = Annotated[
    Any,
    WithJsonSchema(
        {"anyOf": [{"type": "string", "title": "Target"}, {**Entry.model_json_schema()}]}
    ),
]


def tell(raw: Sequence[Any], state: State[Any]) -> None:
    """
    Tell everybody who wants to know how a run ended; what fails there is logged, no more.

    Args:
        raw: The run's `notify`.
        state: The run's final state; a summary is its data, where there is one.
    """
    if raw:
        _notify_task(raw, state.message or "", state.data or None, state.is_failed())


@task(name="notify", task_run_name="notify", cache_policy=NO_CACHE)
def _notify_task(raw: Sequence[Any], headline: str, summary: Any, failed: bool) -> None:  # noqa: FBT001 - a task's parameter
    logger = get_run_logger()
    try:
        settings = Settings()
        entries = parse_entries(raw, settings)
    except InputError as error:
        logger.warning("Nobody is told: %s", error)
        return
    found = summary if isinstance(summary, RunSummary) else None
    for problem in notify(entries, _notice(headline, found, failed=failed), settings):
        logger.warning("%s", problem)


def _notice(headline: str, summary: RunSummary | None, *, failed: bool) -> Notice:
    about: dict[str, Any] = {}
    if summary is not None:
        about = {
            "counts": {check.name: check.statuses for check in summary.checks},
            "changes": {c.name: sum(c.changes.values()) for c in summary.checks if c.changes},
            "examples": list(chain.from_iterable(map(_examples, summary.checks))),
            "file": summary.file,
        }
    changed = summary is not None and summary.changes > 0
    return Notice(
        run=flow_run.name or "",
        run_id=flow_run.id or "",
        url=flow_run.ui_url or "",
        state="failed" if failed else "changed" if changed else "completed",
        headline=headline,
        **about,
    )


def _examples(check: CheckSummary) -> list[Change]:
    every = ((kind, one) for kind, found in check.changed.items() for one in found)
    return [_example(check.name, kind, one) for kind, one in islice(every, EXAMPLES)]


def _example(check: str, kind: str, one: comparison.Change) -> Change:
    before, after = before_and_after(kind, one)
    return Change(domain=one.name, check=check, before=before, after=after)
