"""What is in a feed is what is in the table; what is not is accounted for."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.cron_frame.goods import FULL, LINK, feed
from tests.commands.cron_frame.receiver import Receiver, receiving
from tests.commands.cron_frame.shop import CATEGORIES, Shop, export, offers, validated


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a shop without goods."""
    return Shop(tmp_path)


def test_every_element_is_there(shop: Shop) -> None:
    """A row with all columns is an offer with all elements, in a valid catalogue."""
    shop.sell([FULL])
    data, answer = feed(shop)
    (offer,) = offers(data)
    assert offer == {
        "id": "1",
        "available": "true",
        "url": FULL["url"],
        "price": "8990.50",
        "oldprice": "9900",
        "currencyId": "USD",
        "categoryId": "102",
        "picture": [f"{LINK}1.jpg", f"{LINK}2.jpg"],
        "store": "false",
        "delivery": "true",
        "typePrefix": "Appliance",
        "name": "Ice-cream maker",
        "vendor": "Brand & Sons",
        "vendorCode": "A-1",
        "model": "3811",
        "description": "<h3>Cold</h3> & tasty",
        "sales_notes": "Prepayment",
        "manufacturer_warranty": "true",
        "country_of_origin": "China",
        "barcode": "0123456789379",
        "weight": "1.5",
        "dimensions": "10/20/30",
        "param": {
            ("Colour", None): 'white & "black"',
            ("Power", "W"): "150",
            ("Volume", "l"): "2",
        },
    }
    assert (answer["left_out"], answer["mended"]) == ({}, {})
    assert "ignored_columns" not in answer


def test_the_shop_comes_first(shop: Shop) -> None:
    """Its name, its currencies with their rates, and its categories as a tree."""
    shop.sell([{}])
    root = validated(feed(shop)[0])
    assert root.get("date").count(":") == 1
    assert root.findtext("shop/name") == "Best Seller"
    assert root.findtext("shop/company") == "The Best <Inc.> & Sons"
    rates = [(one.get("id"), one.get("rate")) for one in root.iter("currency")]
    assert rates == [("RUR", "1"), ("USD", "CBRF")]
    tree = [(one.get("id"), one.text, one.get("parentId")) for one in root.iter("category")]
    assert tree == CATEGORIES


def test_without_a_name_it_is_vendor_and_model(shop: Shop) -> None:
    """Such an offer is of the other type; in CSV its name is put together."""
    shop.sell([{"name": None, "vendor": "Brand", "model": "3811"}])
    (offer,) = offers(feed(shop)[0])
    assert (offer["type"], offer["vendor"], offer["model"]) == ("vendor.model", "Brand", "3811")
    (row,) = csv.DictReader(io.StringIO(feed(shop, format="csv")[0].decode()), delimiter=";")
    assert row["name"] == "Brand 3811"


BAD: dict[str, list[dict[str, Any]]] = {
    "no id": [{"id": None}, {"id": "  "}],
    "an id that is none: blanks in it, or too long": [{"id": "a b"}, {"id": "x" * 256}],
    "no price": [{"price": None}, {"price": " "}],
    "a price that is no amount above 0": [
        *({"price": price} for price in ("-1", "0", "free", "NaN", "Infinity", "1e99", "1 990,50")),
    ],
    "a currency that the shop does not have": [{"currencyId": "EUR"}, {"currencyId": "<"}],
    "no category": [{"categoryId": None}],
    "unknown category": [{"categoryId": "103"}],
    "neither a name nor vendor and model": [{"name": ""}, {"name": None, "vendor": "Brand"}],
    "url is no web address": [
        *({"url": url} for url in ("ftp://x/", "javascript:alert(1)", f"{LINK} x", "x" * 3_000)),
        *({"url": f"{LINK}{mark}x"} for mark in ("\x01", "\x7f\x00", "\ufffe", "\uffff")),
    ],
}


@pytest.mark.parametrize("reason", BAD)
def test_a_row_that_is_no_offer_is_left_out(shop: Shop, reason: str) -> None:
    """It is counted and named by its reason, and its neighbours are there."""
    shop.sell([{"id": "first"}, *BAD[reason], {"id": "last"}])
    data, answer = feed(shop)
    assert [one["id"] for one in offers(data)] == ["first", "last"]
    (found,) = answer["left_out"].items()
    assert found[0] == reason
    assert found[1]["count"] == answer["left_out_count"] == len(BAD[reason])
    named = [
        (row.get("id", str(number)) or "").strip() for number, row in enumerate(BAD[reason], 2)
    ]
    assert (
        found[1]["first"]
        == [(name or f"row {number}")[:60] for number, name in enumerate(named, 2)][:5]
    )


def test_the_first_of_several_with_one_id_stays(shop: Shop) -> None:
    """Those that are no offers do not count; of many the first few are named."""
    rows = [{"id": "1", "price": "0"}, *({"id": "1", "name": f"No. {n}"} for n in range(9))]
    shop.sell([*rows, {"id": "2"}, *({"id": "2"} for _ in range(2_000))])
    data, answer = feed(shop)
    assert [(one["id"], one["name"]) for one in offers(data)] == [
        ("1", "No. 0"),
        ("2", "Ice-cream maker"),
    ]
    duplicates = answer["left_out"]["duplicate id"]
    assert duplicates == {"count": 2_008, "first": ["1"] * 5}


MENDED: dict[str, tuple[dict[str, Any], str, Any]] = {
    "an old price that is no amount above the price was dropped": (
        {"price": "10", "oldprice": "9"},
        "oldprice",
        None,
    ),
    "available that is neither true nor false was dropped": (
        {"available": "perhaps"},
        "available",
        None,
    ),
    "description was cut to 3,000 characters": (
        {"description": "é" * 1_000_000},
        "description",
        "é" * 3_000,
    ),
    "name: characters that XML does not have were removed": (
        {"name": "a\x00b\x0b\ufffe\x1fc"},
        "name",
        "abc",
    ),
    "pictures that are no web addresses, or too many, were dropped": (
        {"picture": f"{LINK}1.jpg 2.jpg {LINK}\x01.jpg {LINK}\ufffe.jpg"},
        "picture",
        [f"{LINK}1.jpg"],
    ),
    "param that is no JSON of parameters was dropped": ({"param": "{"}, "param", None),
}


@pytest.mark.parametrize("what", MENDED)
def test_what_was_mended_is_told(shop: Shop, what: str) -> None:
    """The offer is there, without what cannot be written; that is counted, too."""
    row, element, written = MENDED[what]
    shop.sell([row])
    data, answer = feed(shop)
    (offer,) = offers(data)
    assert offer.get(element) == written
    assert answer["mended"] == {what: {"count": 1, "first": ["1"]}}


@pytest.mark.parametrize(
    "text",
    [
        "]]>",
        "<![CDATA[ <b> ]]> &amp; &#0;",
        "😀 👨‍👩‍👧 \U0010ffff",
        "line one\nline two\r\nline\rthree\tend",
        "-->  <?xml version='1.0'?> <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
        "\u202eright to left\u202c e\u0301 \u00a0x",
        "'\"` ; DROP TABLE offers",
    ],
    ids=["end", "cdata", "emoji", "lines", "markup", "marks", "quotes"],
)
def test_a_hostile_text_arrives_as_it_is(shop: Shop, text: str) -> None:
    """In elements, names of parameters and categories, YML gives back the very characters."""
    shop.sell([{"name": text, "param": json.dumps({text: text})}])
    shop.execute("DELETE FROM categories WHERE id = '102'")
    shop.insert("categories", ("id", "name"), [("102", text)])
    data, answer = feed(shop)
    (offer,) = offers(data)
    assert offer["name"] == text
    assert offer["param"] == {(text, None): text}
    assert [one.text for one in validated(data).iter("category")][-1] == text
    assert answer["mended"] == {}


def test_columns_that_are_not_known_are_told(shop: Shop) -> None:
    """A table may have others; case and underscores do not count."""
    shop.execute(
        "CREATE TABLE goods (ID TEXT, Price TEXT, category_id TEXT, NAME TEXT, stock TEXT)"
    )
    shop.insert("goods", ("ID", "Price", "category_id", "NAME", "stock"), [("1", "2", "1", "x", 7)])
    data, answer = feed(shop, table="goods")
    assert len(offers(data)) == 1
    assert answer["ignored_columns"] == ["stock"]


def test_categories_that_are_no_use_are_told(shop: Shop) -> None:
    """Without id or name, twice, below nothing, or below themselves: what is left is a tree."""
    bad = [("", "x", None), ("5", "", None), ("1", "again", None), ("6", "lost", "99")]
    loop = [("7", "a", "8"), ("8", "b", "7"), ("9", "own", "9")]
    shop.insert("categories", ("id", "name", "parent_id"), [*bad, *loop])
    shop.sell([{"categoryId": "8"}, {"categoryId": "5"}])
    data, answer = feed(shop)
    parents = {one.get("id"): one.get("parentId") for one in validated(data).iter("category")}
    assert parents == {
        **{number: parent for number, _, parent in CATEGORIES},
        "6": None,
        "7": None,
        "8": "7",
        "9": None,
    }
    told = {reason: found["count"] for reason, found in answer["categories"].items()}
    assert told == {
        "no id": 1,
        "no name": 1,
        "duplicate id": 1,
        "unknown parent, its place is at the top": 1,
        "is below itself, its place is at the top": 2,
    }
    assert answer["offers"] == 1


@pytest.mark.parametrize("rows", [[], [{"price": "0"}]], ids=["none", "none-valid"])
def test_an_empty_feed_is_not_delivered(shop: Shop, rows: list[dict[str, Any]]) -> None:
    """It would take all goods off the market place: an error, unless the frame allows it."""
    shop.sell(rows)
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url)
        outcome = export(5, shop.environment())
        assert outcome.status == "error"
        assert "frame 5 has no valid offer" in str(outcome.error)
        assert ("above 0: 1" if rows else "has no rows") in str(outcome.error)
        assert receiver.requests == []
        shop.frame(5, destination=receiver.url, allow_empty=True)
        assert export(5, shop.environment()).status == "delivered"
    assert offers(bytes(receiver.requests[0].body)) == []
