"""Every mistake in the TOML file is one clear line, with file, frame and field."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from commands.command import MAX_ERROR_LENGTH
from commands.cron_frame.reading import Mistakes, read
from commands.environment import Environment
from commands.registry import make
from tests.commands.cron_frame.receiver import Receiver, receiving
from tests.commands.cron_frame.shop import Shop, export, offers

ROOT = Path(__file__).parents[3]
SHOP = """
[shop]
name = "Best"
company = "Best Inc."
url = "https://best.example"
currencies = { RUR = 1 }
categories = { table = "categories" }
"""
FRAME = """
[frames.5]
source = "sqlite:///shop.db"
table = "offers"
format = "yml"
destination = "https://market.example/feed"
"""
GOOD = SHOP + FRAME
SECRET = "open-sesame"


def write(folder: Path, text: str) -> Path:
    """Write the file."""
    path = folder / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_has_no_mistake(tmp_path: Path) -> None:
    """What is not said is as documented."""
    order = read(write(tmp_path, GOOD), 5, {})
    frame = order.frame
    assert (frame.method, frame.resume, frame.tries, frame.delimiter) == ("PUT", "no", 5, ";")
    assert (frame.allow_empty, frame.skip_unchanged) == (False, False)
    assert order.shop.categories.source == frame.source
    assert order.shop.currencies == {"RUR": "1"}


#: What is written instead of what -> what is said of it.
WRONG: dict[str, tuple[str, str, str]] = {
    "toml": ("[shop]", "[shop", "is no TOML: "),
    "table": ("[shop]", "[store]", "feeds.toml, field store: there are only the tables"),
    "no-shop": (SHOP, "", "feeds.toml, field shop: there must be a table of this name"),
    "no-frames": (FRAME, "", "feeds.toml, field frames: there must be a table"),
    "number": ("frames.5", "frames.five", "frame five: a frame is known by a number"),
    "no-frame": ("frames.5", "frames.7", "feeds.toml has no frame 5; there are: 7"),
    "frame-no-table": (FRAME, "[frames]\n5 = 1", "frame 5: must be a table: [frames.5]"),
    "unknown": (
        'format = "yml"',
        'format = "yml"\ncolour = 1',
        "5, field colour: there is no",
    ),
    "missing": ('name = "Best"\n', "", "shop, field name: Field required"),
    "empty": ('name = "Best"', 'name = " "', "shop, field name: String should have at least 1"),
    "control": ('"Best"', r'"Be\u0001st"', "shop, field name: has a character that XML does not"),
    "no-character": ("Best Inc.", r"Inc\uffff", "shop, field company: has a character that XML"),
    "control-url": ("https://best.", r"https://\u0007best.", "field url: has a character that"),
    "url": ("https://best.example", "best.example", "shop, field url: no web address"),
    "currency": ("RUR = 1", "roubles = 1", "field currencies: 'roubles' is no currency"),
    "rate": ("RUR = 1", 'RUR = "x"', "field currencies: 'x' is no rate of RUR"),
    "no-currency": ("{ RUR = 1 }", "{}", "field currencies: "),
    "zone": ('url = "h', 'time_zone = "Moon/Base"\nurl = "h', "field time_zone: no time zone"),
    "both": ('table = "offers"', 'table = "o"\nquery = "SELECT"', "either table or query"),
    "neither": ('table = "offers"', "", "frame 5, field table: write either table or query"),
    "categories": ('{ table = "categories" }', "{}", "shop, field categories: write either"),
    "source": (
        "sqlite:///shop.db",
        "shop.db",
        "frame 5, field source: no database URL",
    ),
    "dialect": ("sqlite:///shop.db", "mysql://h/d", "field source: no database"),
    "driver": ("sqlite:///shop.db", "postgresql+nothing://h/d", "field source: no database"),
    "memory": ("sqlite:///shop.db", "sqlite://", "field source: names no file"),
    "format": ('"yml"', '"xml"', "frame 5, field format: Input should be 'yml' or 'csv'"),
    "destination": ("https://market", "ftp://market", "frame 5, field destination: write https://"),
    "no-host": ("https://market.example/feed", "https://", "field destination: write https://"),
    "no-url": ("https://market.example", "https://h:x", "field destination: no web address"),
    "for-files": (
        "https://market.example/feed",
        'x.xml"\nmethod = "PUT',
        "field method: is for",
    ),
    "tus-method": (
        '"yml"',
        '"yml"\nresume = "tus"\nmethod = "PUT"',
        "field method: tus has",
    ),
    "resume": ('"yml"', '"yml"\nresume = "range"', "field resume: Input should be 'no' or 'tus'"),
    "header": ('"yml"', '"yml"\nheaders = {"X Y" = "1"}', "field headers: 'X Y' is no name"),
    "header-value": ('"yml"', '"yml"\nheaders = {X = "a\\nb"}', "field headers: X has a value"),
    "our-header": (
        '"yml"',
        '"yml"\nheaders = {Content-Length = "1"}',
        "Content-Length is written",
    ),
    "tries": ('"yml"', '"yml"\ntries = 0', "field tries: Input should be greater"),
    "seconds": ('"yml"', '"yml"\ntimeout_seconds = "long"', "field timeout_seconds: Input should"),
    "variable": (
        "market.example",
        "${HOST}",
        "environment has no variable HOST",
    ),
    "deep-variable": (
        '"yml"',
        '"yml"\nheaders = {X = "${KEY}"}',
        "field headers.X: the env",
    ),
    "same-place": (FRAME, FRAME + FRAME.replace("5", "6"), "field destination: is that of frame 6"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_one_line(tmp_path: Path, what: str) -> None:
    """It names the file and, where there is one, frame and field; the job is an error."""
    before, after, words = WRONG[what]
    assert before in GOOD
    path = write(tmp_path, GOOD.replace(before, after))
    with pytest.raises(Mistakes) as caught:
        read(path, 5, {})
    (line,) = caught.value.mistakes
    assert line.startswith("feeds.toml")
    assert words in line
    assert "\n" not in line
    outcome = export(5, Environment(feeds=path, work_folder=tmp_path))
    assert (outcome.status, outcome.error) == ("error", line[:MAX_ERROR_LENGTH])


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """A line each."""
    text = GOOD.replace('"yml"', '"xml"\ntries = 0').replace('company = "Best Inc."', "")
    with pytest.raises(Mistakes) as caught:
        read(write(tmp_path, text), 5, {})
    assert len(caught.value.mistakes) == 3


def test_a_mistake_repeats_no_secret(tmp_path: Path) -> None:
    """Whatever is wrong about a value that came out of a variable, it is not shown."""
    for field in ("source", "destination", "format"):
        line = f'{field} = "${{KEY}}"'
        lines = [line if one.startswith(field) else one for one in FRAME.split("\n")]
        with pytest.raises(Mistakes) as caught:
            read(write(tmp_path, SHOP + "\n".join(lines)), 5, {"KEY": f"ftp://ann:{SECRET}@[x"})
        assert SECRET not in str(caught.value)


def test_mistakes_of_another_frame_do_no_harm(tmp_path: Path) -> None:
    """A frame is exported though another one cannot be."""
    other = '\n[frames.6]\nsource = "${NOT_THERE}"\ncolour = 1\n'
    assert read(write(tmp_path, GOOD + other), 5, {}).number == 5


@pytest.mark.parametrize("password", ["sesame", "p@ss", "a@b@c"])
def test_a_destination_is_shown_without_its_password(tmp_path: Path, password: str) -> None:
    """Also where there is an @ in it."""
    text = GOOD.replace("https://market", f"https://ann:{password}@market")
    assert read(write(tmp_path, text), 5, {}).shown == "https://market.example/feed"


@pytest.mark.parametrize(
    ("payload", "taken"), [(5, True), ("5", True), (" 5 ", True), ("5.0", False)], ids=str
)
def test_a_number_may_be_text(tmp_path: Path, payload: Any, *, taken: bool) -> None:
    """`--param payload=5` and JSON's "5" mean the same."""
    outcome = export(payload, Environment(feeds=write(tmp_path, GOOD), work_folder=tmp_path))
    assert ("takes the number of a frame" not in str(outcome.error)) is taken


@pytest.mark.parametrize(
    "payload",
    [None, True, 5.5, -5, "", "five", [5], {"frame": 5}, "9" * 5_000, 10**30, "５", "5\n6"],
    ids=range(12),
)
def test_a_payload_that_is_no_number_is_refused(tmp_path: Path, payload: Any) -> None:
    """It is told in a line."""
    command = make("cron_frame", {}, Environment(feeds=write(tmp_path, GOOD)))
    with pytest.raises(ValueError, match=r"number of a frame|has no frame") as caught:
        command.prepare(payload)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_without_a_file_the_setting_is_named(tmp_path: Path) -> None:
    """Where it is not set, or the file is not there."""
    assert "needs the setting ROLLCALL_FEEDS" in str(export(5, Environment()).error)
    outcome = export(5, Environment(feeds=tmp_path / "nowhere.toml"))
    assert "ROLLCALL_FEEDS" in str(outcome.error)
    assert "No such file" in str(outcome.error)


def test_the_example_is_run(tmp_path: Path) -> None:
    """docs/feeds.example.toml, as it is: frame 5 to an endpoint, frame 9 to a file."""
    shop = Shop(tmp_path)
    shop.execute(
        "CREATE TABLE goods (sku TEXT, stock INT, price NUMERIC, old_price NUMERIC,"
        " category_id INT, photos TEXT, title TEXT, brand TEXT, text TEXT, colour TEXT,"
        " weight REAL)",
        "INSERT INTO goods VALUES ('A-1', 0, 8990, 9900, 102, 'https://p.example/1.jpg',"
        " 'Maker', 'Brand', 'Cold & tasty', 'white', 1.5), "
        " ('B-2', 3, 0, NULL, 1, '', 'Gone', '', '', '', 1)",
    )
    shop.sell([{"vendor": "Brand"}])
    (tmp_path / "feeds").mkdir()
    shop.file.write_text((ROOT / "docs" / "feeds.example.toml").read_text(), encoding="utf-8")
    with receiving(Receiver()) as receiver:
        variables = {
            "SHOP_DATABASE_URL": shop.url,
            "MARKET_URL": receiver.url,
            "MARKET_TOKEN": SECRET,
        }
        environment = shop.environment(variables=variables)
        outcomes = [export(number, environment) for number in (5, 9, 9)]
    assert [one.status for one in outcomes] == ["delivered", "delivered", "unchanged"], outcomes
    (offer,) = offers(bytes(receiver.requests[0].body))
    assert (offer["id"], offer["available"]) == ("A-1", "false")
    assert offer["param"] == {("Colour", None): "white", ("Weight", "kg"): "1.5"}
    assert receiver.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    text = (tmp_path / "feeds" / "offers.csv").read_text()
    assert next(csv.DictReader(io.StringIO(text), delimiter=";"))["category"] == "Ice"
