"""
YML, the format of Yandex.Market, written as it comes.

Written by hand and not by `XMLGenerator`, which takes more than twice as long for the same text:
the elements are few, and `saxutils` does the escaping.

Source:
    https://yandex.com/support/partnermarket/export/yml.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

from commands.cron_frame.categories import Category
from commands.cron_frame.configuration import Shop
from commands.cron_frame.offers import Offer
from commands.cron_frame.sink import Sink
from commands.cron_frame.values import Parameter

#: Elements of the shop before its currencies, in this order.
ABOUT = ("name", "company", "url", "platform", "version", "agency", "email")
#: What an XML parser would read as another character than the one that was written.
_KEPT = {"\r": "&#13;"}


class YmlWriter:
    """Writes one catalogue."""

    def __init__(self, sink: Sink, shop: Shop, categories: Mapping[str, Category]) -> None:
        """Take where it goes, and what comes before the offers."""
        self._sink = sink
        self._shop = shop
        self._categories = categories

    def begin(self, moment: datetime) -> None:
        """Write what comes before the offers."""
        date = moment.astimezone(ZoneInfo(self._shop.time_zone)).strftime("%Y-%m-%d %H:%M")
        root = f'<yml_catalog date="{date}">\n'
        self._sink.write(f'<?xml version="1.0" encoding="UTF-8"?>\n{root}', passing=date)
        about = ((name, getattr(self._shop, name)) for name in ABOUT)
        lines = ["<shop>", *(_element(name, text) for name, text in about if text)]
        rates = self._shop.currencies.items()
        currencies = (f'<currency id="{name}" rate="{rate}"/>' for name, rate in rates)
        lines += ["<currencies>", *currencies, "</currencies>", "<categories>"]
        self._sink.write("\n".join([*lines, ""]))
        self._sink.write("".join(map(_category, self._categories.values())))
        self._sink.write("</categories>\n<offers>\n")

    def write(self, offers: Iterable[Offer]) -> None:
        """Write some offers."""
        self._sink.write("".join(map(_offer, offers)))

    def end(self) -> None:
        """Write what comes behind the offers."""
        self._sink.write("</offers>\n</shop>\n</yml_catalog>\n")


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text, _KEPT)}</{name}>"


def _category(category: Category) -> str:
    parent = "" if category.parent is None else f" parentId={quoteattr(category.parent)}"
    name = escape(category.name, _KEPT)
    return f"<category id={quoteattr(category.id)}{parent}>{name}</category>\n"


def _offer(offer: Offer) -> str:
    kind = "" if "name" in offer.texts else ' type="vendor.model"'
    there = "" if offer.available is None else f' available="{offer.available}"'
    parts = [f"<offer id={quoteattr(offer.id)}{kind}{there}>"]
    if offer.url is not None:
        parts.append(_element("url", offer.url))
    parts.append(f"<price>{offer.price}</price>")
    if offer.oldprice is not None:
        parts.append(f"<oldprice>{offer.oldprice}</oldprice>")
    parts.append(f"<currencyId>{offer.currency}</currencyId>")
    parts.append(_element("categoryId", offer.category))
    parts += (_element("picture", link) for link in offer.pictures)
    parts += (_element(name, text) for name, text in offer.texts.items())
    parts += map(_parameter, offer.parameters)
    parts.append("</offer>\n")
    return "".join(parts)


def _parameter(parameter: Parameter) -> str:
    unit = "" if parameter.unit is None else f" unit={quoteattr(parameter.unit)}"
    value = escape(parameter.value, _KEPT)
    return f"<param name={quoteattr(parameter.name)}{unit}>{value}</param>"
