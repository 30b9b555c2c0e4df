"""The same offers as a table."""

import csv
import io
from pathlib import Path

import pytest

from tests.commands.cron_frame.goods import FULL, LINK, feed
from tests.commands.cron_frame.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a shop without goods."""
    return Shop(tmp_path)


def test_csv_is_a_flat_table(shop: Shop) -> None:
    """The same offers; categories by name, no line breaks in a field, parameters are not there."""
    shop.sell([FULL, {"description": 'one;"two"\n three\tfour'}])
    data, answer = feed(shop, format="csv")
    rows = list(csv.DictReader(io.StringIO(data.decode()), delimiter=";"))
    assert data.count(b"\r\n") == 3 == data.count(b"\n")
    assert "\t" not in data.decode()
    assert (rows[0]["id"], rows[0]["price"], rows[0]["category"]) == ("1", "8990.50", "Ice")
    assert rows[0]["picture"] == f"{LINK}1.jpg,{LINK}2.jpg"
    assert rows[1]["description"] == 'one;"two"  three four'
    assert not [name for name in rows[0] if name.startswith("param")]
    assert answer["offers"] == 2
    assert (answer["format"], answer["ignored_columns"]) == (
        "csv",
        ["param", "param:Colour", "param:Power:W"],
    )


def test_a_table_of_its_own_delimiter(shop: Shop) -> None:
    """The columns are those that the source has, in the order of the format."""
    shop.sell([{"url": LINK}])
    data, _ = feed(shop, format="csv", delimiter="\t")
    assert data.decode().splitlines() == [
        "id\turl\tprice\tcurrencyId\tcategory\tname",
        f"1\t{LINK}\t8990\tRUR\tIce\tIce-cream maker",
    ]
