"""
The same offers as CSV.

Categories by their names, in a flat list; no tabs and line breaks inside a field; no parameters,
for which the format has no place.

Source:
    https://yandex.com/support/partnermarket/export/text-format.html
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from commands.cron_frame.categories import Category
from commands.cron_frame.offers import TEXTS, Offer
from commands.cron_frame.sink import Sink

#: Columns that are there whatever the source has.
ALWAYS = ("id", "price", "currencyId", "category", "name")
#: In the order of the file.
ORDER = (
    *("id", "available", "url", "price", "oldprice", "currencyId", "category", "picture"),
    *TEXTS,
)
_BREAK = re.compile("[\t\n\r\x0b\x0c\x85\u2028\u2029]")


class CsvWriter:
    """Writes one table."""

    def __init__(
        self,
        sink: Sink,
        categories: Mapping[str, Category],
        elements: frozenset[str],
        delimiter: str,
    ) -> None:
        """Take where it goes, and which elements there are: only they get a column."""
        self._sink = sink
        self._names = {key: _BREAK.sub(" ", one.name) for key, one in categories.items()}
        self._columns = [name for name in ORDER if name in elements or name in ALWAYS]
        self._buffer = io.StringIO(newline="")
        self._csv = csv.writer(self._buffer, delimiter=delimiter, lineterminator="\r\n")

    def begin(self, _moment: datetime) -> None:
        """Write the names of the columns."""
        self._csv.writerow(self._columns)
        self._flush()

    def write(self, offers: Iterable[Offer]) -> None:
        """Write some offers."""
        self._csv.writerows(map(self._row, offers))
        self._flush()

    def end(self) -> None:
        """Do nothing: a table has no end of its own."""

    def _flush(self) -> None:
        self._sink.write(self._buffer.getvalue())
        self._buffer.seek(0)
        self._buffer.truncate()

    def _row(self, offer: Offer) -> list[str]:
        fields = {
            "id": offer.id,
            "available": offer.available or "",
            "url": offer.url or "",
            "price": offer.price,
            "oldprice": offer.oldprice or "",
            "currencyId": offer.currency,
            "category": self._names[offer.category],
            "picture": ",".join(offer.pictures),
        }
        # Only texts have blanks in them.
        for name, text in offer.texts.items():
            fields[name] = _BREAK.sub(" ", text)
        if "name" not in fields:
            named = (fields.get(part) for part in ("typePrefix", "vendor", "model"))
            fields["name"] = " ".join(filter(None, named))
        return [fields.get(name, "") for name in self._columns]
