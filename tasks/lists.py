"""The step that turns a source into a stored list."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger
from prefect.states import Failed

from database.engine import open_database
from database.errors import DatabaseError
from database.lists import ListWriter, StoredList, discard_list, find_list, read_list
from database.runs import StoredRun, use_list
from tasks import load
from tasks.errors import InputError
from tasks.progress import reading
from tasks.report import LEDGER
from tasks.settings import Settings
from tasks.source import DETECT, Source, file_stamp


def load_list(run: StoredRun, source: Source, settings: Settings) -> StoredList:
    """
    Read, normalise and deduplicate a source, and store it as the run's list.

    A retried run finds its list loaded, or deletes what a load that died has left. The same
    content is the same list, loaded once.

    Raises:
        LoadError: The source cannot be read, or nothing in it is a domain name.
        ListMissing: ``list:<id>`` names a list that is not there.
        DatabaseError: The list cannot be stored.
    """
    state = _load_task(run, source, settings, return_state=True)
    stored: StoredList = state.result()
    return stored


@task(name="load", task_run_name="load {source.name}", cache_policy=NO_CACHE)
def _load_task(run: StoredRun, source: Source, settings: Settings) -> Any:
    """Load; what the user can mend ends the task in one line, not in a traceback."""
    try:
        return _loaded(run, source, settings)
    except (load.LoadError, InputError, DatabaseError) as error:
        return Failed(message=str(error), data=error)


def _loaded(run: StoredRun, source: Source, settings: Settings) -> StoredList:
    logger = get_run_logger()
    engine = open_database(settings.database)
    if run.list_id is not None:
        discard_list(engine, run.list_id)
    found = _stored_already(source, settings)
    if found is None:
        found = _load(run, source, settings)
        logger.info("Read %s: %s.", source.name, found.description)
    else:
        logger.info("%s is list %d already: %s.", source.name, found.id, found.description)
    use_list(engine, run.number, found.id)
    if found.truncated:
        logger.warning("%s", found.truncated)
    words = ", ".join(f"{found.ledger[key]:,} {key}" for key in LEDGER[1:])
    logger.info("%s lines: %s.", f"{found.ledger['lines']:,}", words)
    return found


def _stored_already(source: Source, settings: Settings) -> StoredList | None:
    engine = open_database(settings.database)
    if source.list_id is not None:
        return read_list(engine, source.list_id)
    return find_list(engine, source.fingerprint)


def _load(run: StoredRun, source: Source, settings: Settings) -> StoredList:
    engine = open_database(settings.database)
    writer = ListWriter(engine, source.name, source.fingerprint)
    use_list(engine, run.number, writer.id)
    try:
        report = _read(source, writer, settings)
        _check_unchanged(source)
    except BaseException:
        discard_list(engine, writer.id)
        raise
    writer.finish(
        description=report.detected.describe(),
        truncated=report.truncated,
        ledger=asdict(report.ledger),
        reasons=dict(report.reasons),
    )
    return read_list(engine, writer.id)


def _check_unchanged(source: Source) -> None:
    """Keep a file that is still being written from going by the digest of another content."""
    if source.path is not None and file_stamp(source.path) != source.stamp:
        message = f"{source.name} changed while it was read; try again when it is complete"
        raise InputError(message)


def _read(source: Source, writer: ListWriter, settings: Settings) -> load.LoadReport:
    request = source.request
    column = request.column.strip()
    options = load.LoadOptions(
        max_bytes=settings.max_file_bytes,
        format=None if request.format == DETECT else request.format,
        column=int(column) if column.isdecimal() else column or None,
    )
    if source.path is not None:
        return load.load_file(
            source.path,
            writer,
            options,
            progress=reading,
            temporary_directory=settings.scratch_folder(),
        )
    return load.load_text(request.domains, writer, options)
