"""Writing the export of a frame into a file of our own; nothing is delivered here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from commands.cron_frame.account import Account
from commands.cron_frame.categories import Category, read_categories
from commands.cron_frame.csv_file import CsvWriter
from commands.cron_frame.errors import NothingToOffer
from commands.cron_frame.exported import Counts
from commands.cron_frame.offers import Offer, Reader
from commands.cron_frame.reading import Order
from commands.cron_frame.seen import nothing_seen
from commands.cron_frame.sink import Sink, Writer
from commands.cron_frame.source import Source, opened
from commands.cron_frame.thread import Stop
from commands.cron_frame.yml import YmlWriter


def _writer(
    sink: Sink, order: Order, categories: dict[str, Category], elements: frozenset[str]
) -> Writer:
    if order.frame.format == "csv":
        return CsvWriter(sink, categories, elements, order.frame.delimiter)
    return YmlWriter(sink, order.shop, categories)


def build(order: Order, path: Path, moment: datetime, stop: Stop) -> Counts:
    """
    Write the export.

    Args:
        order: What is to be exported.
        path: Of the file, which is on the disk when this returns. Beside it is room for others.
        moment: Of the export.
        stop: Says whether it is still wanted.

    Raises:
        SourceAway: The shop's database is away.
        SourceRefused: It does not answer the query.
        NothingToOffer: There is no valid offer, and the frame does not allow that.
        Stopped: It is not wanted any more.
    """
    building = _Building(order, stop)
    with opened(order.frame.source, stop) as source, path.open("wb") as file:
        sink = Sink(file)
        with building.beside(source) as categories_source:
            categories = building.categories(categories_source)
        with nothing_seen(path.with_suffix(".ids")) as seen:
            columns, chunks = source.rows(order.frame)
            reader = building.reader(columns, categories)
            writer = _writer(sink, order, categories, reader.elements)
            writer.begin(moment)
            for chunk in chunks:
                stop.check()
                offers = reader.offers(chunk)
                writer.write(building.once(offers, seen.new([one.id for one in offers])))
            writer.end()
        building.check_offers()
        sink.keep()
    return building.counts(sink, reader)


class _Building:
    """The accounts of one export."""

    def __init__(self, order: Order, stop: Stop) -> None:
        self._order = order
        self._stop = stop
        self._offers = 0
        self._left_out, self._mended, self._categories = Account(), Account(), Account()

    @contextmanager
    def beside(self, source: Source) -> Iterator[Source]:
        """Give the database with the categories, which may be that with the offers."""
        url = self._order.shop.categories.source
        if url == self._order.frame.source:
            yield source
            return
        with opened(url, self._stop) as another:
            yield another

    def categories(self, source: Source) -> dict[str, Category]:
        """Return the categories."""
        return read_categories(source, self._order.shop.categories, self._categories)

    def reader(self, columns: Sequence[str], categories: dict[str, Category]) -> Reader:
        """Return what makes offers of rows."""
        currencies = tuple(self._order.shop.currencies)
        return Reader(columns, categories, currencies, self._left_out, self._mended)

    def once(self, offers: Sequence[Offer], new: set[str]) -> Iterator[Offer]:
        """Give the first offer with each id; the others are left out."""
        for offer in offers:
            if offer.id in new:
                new.remove(offer.id)
                self._offers += 1
                yield offer
            else:
                self._left_out.add("duplicate id", offer.id)

    def check_offers(self) -> None:
        """Raise `NothingToOffer` if there is none, and there must be one."""
        if self._offers or self._order.frame.allow_empty:
            return
        why = self._left_out.line() or "the table or query has no rows"
        raise NothingToOffer(
            f"frame {self._order.number} has no valid offer, so nothing was delivered ({why}); "
            "if that is meant, write allow_empty = true"
        )

    def counts(self, sink: Sink, reader: Reader) -> Counts:
        """Return what became of the rows."""
        answer: dict[str, Any] = {
            "offers": self._offers,
            "left_out": self._left_out.told(),
            "left_out_count": self._left_out.total,
            "mended": self._mended.told(),
        }
        if self._categories.total:
            answer["categories"] = self._categories.told()
        lost = reader.parameter_columns if self._order.frame.format == "csv" else ()
        if ignored := [*reader.ignored, *lost]:
            answer["ignored_columns"] = ignored
        return Counts(bytes=sink.bytes, digest=sink.digest, answer=answer)


def now() -> datetime:
    """Return the moment of an export."""
    return datetime.now(UTC)
