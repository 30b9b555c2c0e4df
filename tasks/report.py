"""The report of a run: Markdown for the Prefect UI, and plain text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from database.comparison import Change
from tasks.summary import CheckSummary, RunSummary

LEDGER = ("lines", "blank", "comment", "names", "invalid", "duplicate", "unique")
#: Characters of an answer in a table.
MAX_CELL = 120
#: What Markdown or HTML would take for markup; names and errors come from strangers. With the last
#: three, what looks like an address becomes no link.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&:.@])")


def markdown_report(summary: RunSummary) -> str:
    """Return the report as Markdown."""
    stored = summary.stored
    parts = [
        f"# {_plain(stored.name)}",
        (
            f"Read as: {_plain(stored.description)}. Took {summary.seconds:,.1f} s. "
            f"Results: {_plain(summary.file)}."
        ),
        *([f"**{_plain(stored.truncated)}**"] if stored.truncated else []),
        "## Ledger",
        _table(LEDGER, [[f"{stored.ledger[key]:,}" for key in LEDGER]]),
        *_rejected(summary),
        *(part for check in summary.checks for part in _check_parts(check)),
    ]
    return "\n\n".join(parts) + "\n"


def text_report(summary: RunSummary) -> str:
    """Return the ledger and the summary as plain text."""
    ledger = summary.stored.ledger
    lines = [
        f"Read as {summary.stored.description}.",
        *([summary.stored.truncated] if summary.stored.truncated else []),
        "",
        "Ledger",
        *(f"  {key:<10}{ledger[key]:>12,}" for key in LEDGER),
    ]
    for reason, count in sorted(summary.stored.reasons.items(), key=lambda item: -item[1]):
        lines.append(f"    {reason:<22}{count:>8,}")
    for check in summary.checks:
        lines += ["", f"{check.name}  (answered {_share(check)})"]
        lines += [f"  {status:<10}{n:>12,}" for status, n in check.statuses.items()]
        lines += [f"  {key}: {n:,}" for key, n in check.counters.items()]
        lines += [f"  since the previous run, {k}: {n:,}" for k, n in check.changes.items()]
    unique = ledger["unique"]
    lines += ["", f"{unique:,} domains in {summary.seconds:,.1f} s. Results: {summary.file}"]
    return "\n".join(printable(line) for line in lines)


def before_and_after(kind: str, change: Change) -> tuple[str, str]:
    """Return what a result was and what it is, in a cell's length; `kind` says how it changed."""
    before, after = change.before_status, change.after_status
    if kind == "answer":
        before, after = change.before_answer, change.after_answer
    missing = "not in the list" if kind in {"new", "gone"} else "nothing"
    return (before or missing)[:MAX_CELL], (after or missing)[:MAX_CELL]


def printable(text: str) -> str:
    """Return a text as one line that a terminal shows and does not obey."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _rejected(summary: RunSummary) -> list[str]:
    if not summary.rejected:
        return []
    reasons = sorted(summary.stored.reasons.items(), key=lambda item: -item[1])
    examples = [[n, _plain(text[:80]), _plain(why)] for n, text, why in summary.rejected]
    return [
        "### Rejected",
        _table(("reason", "names"), [[_plain(reason), f"{n:,}"] for reason, n in reasons]),
        "The first ones:",
        _table(("line", "text", "reason"), examples),
    ]


def _check_parts(check: CheckSummary) -> Iterable[str]:
    yield f"## {_plain(check.name)}"
    yield f"Answered: {_share(check)}"
    yield _table(("status", "domains"), [[s, f"{n:,}"] for s, n in check.statuses.items()])
    if check.changes:
        yield "### Changed since the previous run"
        yield _table(("change", "domains"), [[k, f"{n:,}"] for k, n in check.changes.items()])
        yield _table(
            ("change", "domain", "before", "now"),
            [_change(kind, one) for kind, found in check.changed.items() for one in found],
        )
    if check.counters:
        yield "### Asked"
        yield _table(
            ("who, and what came of it", "questions"),
            [[_plain(key), f"{n:,}"] for key, n in check.counters.items()],
        )
    yield "### Slowest"
    yield _table(
        ("domain", "status", "ms"),
        [[_plain(name), status, f"{ms:,.1f}"] for name, status, ms in check.slowest],
    )
    for status, rows in check.examples.items():
        yield f"### {status}"
        yield _table(
            ("domain", "why"), [[_plain(name), _plain(error or "")] for name, error in rows]
        )


def _change(kind: str, change: Change) -> list[str]:
    before, after = change.before_status or "", change.after_status or ""
    if kind == "answer":
        before, after = change.before_answer or "", change.after_answer or ""
    return [kind, _plain(change.name), _plain(before[:MAX_CELL]), _plain(after[:MAX_CELL])]


def _share(check: CheckSummary) -> str:
    total = check.looked_at
    if not total:
        return "none was looked at"
    return f"{check.answered:,} of {total:,}, {100 * check.answered / total:.2f} %"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
