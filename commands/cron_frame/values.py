"""What a database has, as a feed writes it: texts, prices, links, yes and no, lists, parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

#: What XML 1.0 has no way to write. Source: https://www.w3.org/TR/xml/#charsets
FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: Longer links are refused by Yandex.Market.
MOST_LINK = 2_048

_YES = frozenset({"true", "t", "yes", "y", "1", "on"})
_NO = frozenset({"false", "f", "no", "n", "0", "off"})
_LINK = re.compile(r"https?://[^/\s<>\"]+[^\s<>\"]*")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A property of a good, e.g. its colour."""

    name: str
    value: str
    unit: str | None = None


def plain(value: Any) -> str:
    """Return a value as text, without blanks around it; empty for nothing."""
    if value is None:
        return ""
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace").strip()
    return str(value).strip()


def price(value: Any) -> str | None:
    """Return an amount of money, more than nothing, in digits; None if it is none."""
    # A float is meant as it is written: 19.9 and not 19.89999…
    text = plain(value)
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount <= 0 or not -20 < amount.adjusted() < 20:
        return None
    return f"{amount:f}"


def yes_or_no(value: Any) -> str | None:
    """Return ``true`` or ``false``; None if it is neither."""
    word = plain(value).lower()
    if word in _YES:
        return "true"
    return "false" if word in _NO else None


def is_link(text: str) -> bool:
    """Say whether it is a web address that a market place can open."""
    if len(text) > MOST_LINK or FORBIDDEN.search(text):
        return False
    return _LINK.fullmatch(text) is not None


def several(value: Any) -> list[str]:
    """Return the texts of a list, of JSON for one, or of a text with blanks between them."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _json(value)
    if isinstance(value, list | tuple):
        return [text for one in value if (text := plain(one))]
    return plain(value).split()


def parameters(value: Any) -> Iterable[Parameter] | None:
    """
    Return parameters; None if it is no such thing.

    Args:
        value: An object (name to value), or a list of objects with ``name``, ``value`` and, if they
            have one, ``unit``; either as JSON's text, too.
    """
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, Mapping):
        return [Parameter(str(name), plain(one)) for name, one in value.items()]
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return [
            Parameter(
                plain(one.get("name")), plain(one.get("value")), plain(one.get("unit")) or None
            )
            for one in value
        ]
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
