"""Which column of a table or query is which element of an offer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def positions(columns: Sequence[str], names: Iterable[str]) -> dict[str, int]:
    """
    Return element -> where its column stands.

    PostgreSQL writes `categoryId` as `categoryid`, and many shops have `category_id`: case and
    underscores do not count. Of two that are the same, the first one does.
    """
    places: dict[str, int] = {}
    for place, column in enumerate(columns):
        places.setdefault(_key(column), place)
    return {name: places[_key(name)] for name in names if _key(name) in places}


def _key(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
