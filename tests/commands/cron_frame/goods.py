"""A good with all columns, and the feed of a shop."""

import json
from typing import Any

from tests.commands.cron_frame.receiver import Receiver, receiving
from tests.commands.cron_frame.shop import Shop, export

__all__ = ["FULL", "LINK", "feed"]

LINK = "https://best.seller.example/"
FULL: dict[str, Any] = {
    "available": 1,
    "url": f"{LINK}?pid=1&from=<market>".replace("<", "%3C").replace(">", "%3E"),
    "price": "8990.50",
    "oldprice": 9900,
    "currencyId": "USD",
    "picture": f"{LINK}1.jpg {LINK}2.jpg",
    "store": "no",
    "delivery": "true",
    "typePrefix": "Appliance",
    "vendor": "Brand & Sons",
    "vendorCode": "A-1",
    "model": "3811",
    "description": "<h3>Cold</h3> & tasty",
    "sales_notes": "Prepayment",
    "manufacturer_warranty": "t",
    "country_of_origin": "China",
    "barcode": "0123456789379",
    "weight": "1.5",
    "dimensions": "10/20/30",
    "param": json.dumps([{"name": "Volume", "value": 2, "unit": "l"}]),
    "param:Colour": 'white & "black"',
    "param:Power:W": 150,
}


def feed(shop: Shop, **frame: Any) -> tuple[bytes, dict[str, Any]]:
    """Export, and return what the endpoint got, and the job's answer."""
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url, **frame)
        outcome = export(5, shop.environment())
    assert outcome.status == "delivered", outcome.error
    answer = dict(outcome.answer or {})
    assert answer["bytes"] == len(receiver.requests[0].body)
    return bytes(receiver.requests[0].body), answer
