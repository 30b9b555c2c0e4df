"""The main job from a terminal, embedded, with a progress bar and a summary."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, get_args

import httpx
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingResult
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from commands.errors import CommandError
from database.errors import DatabaseError
from deployments.continuation import ServerNotStarted, continued
from flows.check_domains import Format, check_domains
from tasks.errors import InputError
from tasks.nodes import parse_checks
from tasks.progress import listener
from tasks.report import printable, text_report
from tasks.source import Request

#: What `main` returns: every domain has its result, something broke, the input cannot be used, and
#: what shells give to a program that was interrupted.
DONE, BROKEN, REFUSED, INTERRUPTED = 0, 1, 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the flow on a file; returns the exit code."""
    try:
        told = _parser().parse_args(arguments)
        request = Request(file=told.file, format=told.format, column=told.column)
        checks = parse_checks(told.checks)
        with continued(request, checks) as run, _progress_bar():
            state = run(
                check_domains,
                {
                    "file": told.file,
                    "checks": checks,
                    "out": told.out,
                    "format": request.format,
                    "column": request.column,
                },
            )
    except (InputError, CommandError) as error:
        return _fail(str(error), REFUSED)
    except UnicodeError:
        return _fail("the name of the file is no UTF-8; give it another one", REFUSED)
    except httpx.HTTPError as error:
        return _fail(f"Prefect's server (PREFECT_API_URL) cannot be reached: {error}", BROKEN)
    except (DatabaseError, ServerNotStarted) as error:
        return _fail(str(error), BROKEN)
    except KeyboardInterrupt:
        return _fail("interrupted; the same command goes on where it stopped", INTERRUPTED)
    return tell(state, told.out)


class _Parser(argparse.ArgumentParser):
    """Takes a wrong word for a wrong input, of which one line is said."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="make run", description="Check a file of domains.")
    parser.add_argument("file", help="a path, an http(s) URL or list:<id>")
    parser.add_argument("--out", default="results.csv", help=".csv, .jsonl or .parquet")
    parser.add_argument("--checks", default="host", help="host,…; or [nodes]; or @file.yaml")
    parser.add_argument(
        "--format", default="detect", choices=get_args(Format), help="where the detection is wrong"
    )
    parser.add_argument("--column", default="", help="number from 1, or header, of the names")
    return parser


def tell(state: State[Any], out: str) -> int:
    """
    Print how a run has ended; returns the exit code.

    Args:
        state: Its final state.
        out: The result file.
    """
    if state.is_completed():
        try:
            print(text_report(state.result()))
        except MissingResult:
            # A server that took too long is asked again, and then gives back a state without data.
            print(printable(f"{state.message}. Results: {out}"))
        return DONE
    return _fail(state.message or "no reason given", REFUSED if state.name == "Refused" else BROKEN)


def _fail(message: str, code: int) -> int:
    print(f"error: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code


@contextmanager
def _progress_bar() -> Iterator[None]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[details]}"),
    )
    # It leaves nothing behind: the summary says it all, and an error is one line.
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        lines: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None, details: str) -> None:
            if what not in lines:
                lines[what] = bar.add_task(what, total=None, details="")
            bar.update(lines[what], completed=done, total=total, details=details)

        token = listener.set(show)
        try:
            yield
        finally:
            listener.reset(token)
