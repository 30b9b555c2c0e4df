"""The shop's categories: few enough to be held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from commands.cron_frame.account import Account
from commands.cron_frame.columns import positions
from commands.cron_frame.configuration import Rows
from commands.cron_frame.errors import SourceRefused
from commands.cron_frame.source import Source
from commands.cron_frame.values import FORBIDDEN, plain


@dataclass(frozen=True, slots=True)
class Category:
    """A category."""

    id: str
    name: str
    #: The id of the one above.
    parent: str | None


def read_categories(source: Source, what: Rows, left_out: Account) -> dict[str, Category]:
    """
    Return id -> category, in the order of the rows.

    Args:
        source: The database.
        what: A table or query with the columns id and name, and parentId where there are levels.
        left_out: Takes up those that are of no use.

    Raises:
        SourceRefused: It has no such columns, or cannot be read.
        SourceAway: The connection is lost.
    """
    columns, chunks = source.rows(what)
    found = positions(columns, ("id", "name", "parentId"))
    if not {"id", "name"} <= found.keys():
        names = ", ".join(columns)
        raise SourceRefused(f"categories have the columns {names}; needed are id and name")
    categories: dict[str, Category] = {}
    for chunk in chunks:
        for row in chunk:
            _add(categories, row, found, left_out)
    return _with_known_parents(categories, left_out)


def _add(
    categories: dict[str, Category], row: Sequence[Any], at: dict[str, int], left_out: Account
) -> None:
    number, name = (FORBIDDEN.sub("", plain(row[at[column]])) for column in ("id", "name"))
    parent = FORBIDDEN.sub("", plain(row[at["parentId"]])) if "parentId" in at else ""
    if not number or not name:
        left_out.add("no id" if not number else "no name", number or name)
    elif number in categories:
        left_out.add("duplicate id", number)
    else:
        # 0 is how many shops write that there is none above.
        categories[number] = Category(number, name, parent if parent not in {"", "0"} else None)


def _with_known_parents(categories: dict[str, Category], left_out: Account) -> dict[str, Category]:
    """Make those the highest of their kind whose parents do not lead to the top."""
    known = dict(categories)
    for one in categories.values():
        if one.parent is None:
            continue
        if one.parent not in categories:
            left_out.add("unknown parent, its place is at the top", one.id)
        elif _leads_back(known, one):
            left_out.add("is below itself, its place is at the top", one.id)
        else:
            continue
        known[one.id] = Category(one.id, one.name, None)
    return known


def _leads_back(categories: dict[str, Category], one: Category) -> bool:
    seen = {one.id}
    above = one.parent
    while above is not None and above in categories:
        if above in seen:
            return above == one.id
        seen.add(above)
        above = categories[above].parent
    return False
