"""Small Markdown tables."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

#: Characters; wide enough that no row is broken in two.
WIDTH = 200


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; all columns but the first are numbers."""
    table = Table(box=box.MARKDOWN)
    for number, column in enumerate(header):
        table.add_column(column, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(_text, row))
    console = Console(width=WIDTH, markup=False, highlight=False)
    with console.capture() as drawn:
        console.print(table)
    lines = (line.rstrip() for line in drawn.get().splitlines())
    print(f"\n### {title}\n", *filter(None, lines), sep="\n", flush=True)


def machine() -> str:
    """Say in a line what the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB of memory, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
