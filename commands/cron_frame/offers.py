"""
Rows to offers: what is valid goes on, what is not is left out and accounted for.

Source:
    https://yandex.com/support/partnermarket/offers.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commands.cron_frame.account import Account
from commands.cron_frame.categories import Category
from commands.cron_frame.columns import positions
from commands.cron_frame.values import (
    FORBIDDEN,
    Parameter,
    is_link,
    parameters,
    plain,
    price,
    several,
    yes_or_no,
)

#: Element -> the most characters that it may have; where None, it is yes or no. In the order of the
#: format's description, beside those that have a column of their own kind.
TEXTS: Mapping[str, int | None] = {
    "store": None,
    "pickup": None,
    "delivery": None,
    "typePrefix": 1_000,
    "name": 1_000,
    "vendor": 1_000,
    "vendorCode": 1_000,
    "model": 1_000,
    "description": 3_000,
    "sales_notes": 50,
    "manufacturer_warranty": None,
    "country_of_origin": 1_000,
    "barcode": 1_000,
    "weight": 100,
    "dimensions": 100,
    "adult": None,
}
#: Columns that are read, by the elements that come of them.
COLUMNS = (
    *("id", "available", "url", "price", "oldprice", "currencyId", "categoryId", "picture"),
    *TEXTS,
    "param",
)
#: What begins the name of a column with one parameter: `param:Colour`, `param:Weight:kg`.
ONE_PARAMETER = "param:"
MOST_ID, MOST_PICTURES = 255, 20


@dataclass(frozen=True, slots=True)
class Offer:
    """A good that is offered; all texts can be written in XML."""

    id: str
    #: ``true`` or ``false``.
    available: str | None
    price: str
    currency: str
    category: str
    url: str | None = None
    oldprice: str | None = None
    pictures: Sequence[str] = ()
    #: Element of `TEXTS` -> its text, in that order.
    texts: Mapping[str, str] = field(default_factory=dict)
    parameters: Sequence[Parameter] = ()


class _Invalid(Exception):
    """The row is no offer."""


class Reader:
    """Makes offers of rows with the same columns."""

    def __init__(
        self,
        columns: Sequence[str],
        categories: Mapping[str, Category],
        currencies: Sequence[str],
        left_out: Account,
        mended: Account,
    ) -> None:
        """Take the names of the columns, what there is in the shop, and two empty accounts."""
        self._at = positions(columns, COLUMNS)
        self._single = {
            place: name[len(ONE_PARAMETER) :].partition(":")
            for place, name in enumerate(columns)
            if name.lower().startswith(ONE_PARAMETER)
        }
        self._texts = [
            (name, most, self._at[name]) for name, most in TEXTS.items() if name in self._at
        ]
        self._categories = categories
        self._currencies = currencies
        self._left_out = left_out
        self._mended = mended
        self._row = 0
        #: Elements that have a column.
        self.elements = frozenset(self._at)
        used = {*self._at.values(), *self._single}
        #: Columns of which nothing comes.
        self.ignored = tuple(name for place, name in enumerate(columns) if place not in used)
        parameters_at = {*self._single, self._at.get("param")}
        #: Columns of which parameters come, for which not every format has a place.
        self.parameter_columns = tuple(
            name for place, name in enumerate(columns) if place in parameters_at
        )

    def offers(self, rows: Sequence[Sequence[Any]]) -> list[Offer]:
        """Return the offers of some rows; the others are accounted for."""
        offers = []
        for row in rows:
            self._row += 1
            name = self._plain(row, "id") or f"row {self._row}"
            try:
                offers.append(self._offer(row, name))
            except _Invalid as reason:
                self._left_out.add(str(reason), name)
        return offers

    def _offer(self, row: Sequence[Any], name: str) -> Offer:
        identity = self._plain(row, "id")
        if not identity:
            raise _Invalid("no id")
        if len(identity) > MOST_ID or len(identity.split()) > 1 or FORBIDDEN.search(identity):
            raise _Invalid("an id that is none: blanks in it, or too long")
        amount = self._price(row)
        currency = self._plain(row, "currencyId") or self._currencies[0]
        if currency not in self._currencies:
            raise _Invalid("a currency that the shop does not have")
        category = self._plain(row, "categoryId")
        if category not in self._categories:
            raise _Invalid("unknown category" if category else "no category")
        texts = self._all_texts(row, name)
        if "name" not in texts and not {"vendor", "model"} <= texts.keys():
            raise _Invalid("neither a name nor vendor and model")
        url = self._plain(row, "url")
        if url and not is_link(url):
            raise _Invalid("url is no web address")
        return Offer(
            id=identity,
            available=self._flag(row, "available", name),
            price=amount,
            currency=currency,
            category=category,
            url=url or None,
            oldprice=self._oldprice(row, amount, name),
            pictures=self._pictures(row, name),
            texts=texts,
            parameters=self._parameters(row, name),
        )

    def _plain(self, row: Sequence[Any], element: str) -> str:
        place = self._at.get(element)
        return "" if place is None else plain(row[place])

    def _price(self, row: Sequence[Any]) -> str:
        written = self._plain(row, "price")
        if not written:
            raise _Invalid("no price")
        amount = price(written)
        if amount is None:
            raise _Invalid("a price that is no amount above 0")
        return amount

    def _oldprice(self, row: Sequence[Any], amount: str, name: str) -> str | None:
        written = self._plain(row, "oldprice")
        if not written:
            return None
        old = price(written)
        if old is not None and float(old) > float(amount):
            return old
        self._mended.add("an old price that is no amount above the price was dropped", name)
        return None

    def _flag(self, row: Sequence[Any], element: str, name: str) -> str | None:
        written = self._plain(row, element)
        if not written:
            return None
        flag = yes_or_no(written)
        if flag is None:
            self._mended.add(f"{element} that is neither true nor false was dropped", name)
        return flag

    def _all_texts(self, row: Sequence[Any], name: str) -> dict[str, str]:
        texts = {}
        for element, most, place in self._texts:
            value = row[place]
            if value is None:
                continue
            if most is None:
                text = self._flag(row, element, name)
            else:
                text = self._text(plain(value), element, most, name)
            if text:
                texts[element] = text
        return texts

    def _text(self, text: str, element: str, most: int, name: str) -> str:
        if FORBIDDEN.search(text):
            self._mended.add(f"{element}: characters that XML does not have were removed", name)
            text = FORBIDDEN.sub("", text).strip()
        if len(text) > most:
            self._mended.add(f"{element} was cut to {most:,} characters", name)
            text = text[:most].rstrip()
        return text

    def _pictures(self, row: Sequence[Any], name: str) -> Sequence[str]:
        place = self._at.get("picture")
        if place is None or row[place] is None:
            return ()
        found = several(row[place])
        good = [link for link in found if is_link(link)][:MOST_PICTURES]
        if len(good) < len(found):
            self._mended.add("pictures that are no web addresses, or too many, were dropped", name)
        return good

    def _parameters(self, row: Sequence[Any], name: str) -> Sequence[Parameter]:
        found = [
            Parameter(key, plain(row[place]), unit or None)
            for place, (key, _, unit) in self._single.items()
        ]
        if self._plain(row, "param"):
            listed = parameters(row[self._at["param"]])
            if listed is None:
                self._mended.add("param that is no JSON of parameters was dropped", name)
            found += listed or ()
        return [
            Parameter(
                self._text(one.name, "param", 1_000, name),
                self._text(one.value, "param", 1_000, name),
                one.unit and self._text(one.unit, "param", 100, name),
            )
            for one in found
            if one.name and one.value
        ]
