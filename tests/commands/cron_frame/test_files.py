"""A feed that goes to a file: whoever reads it sees the old one or the new one, never a part."""

import threading
from pathlib import Path

import pytest

from tests.commands.cron_frame.shop import Shop, export, offers


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a shop with a few goods, and a folder for feeds."""
    (tmp_path / "feeds").mkdir()
    found = Shop(tmp_path)
    found.sell([{}, {}])
    return found


def names(shop: Shop) -> list[str]:
    """List what is in the folder for feeds."""
    return [path.name for path in (shop.folder / "feeds").iterdir()]


def test_a_file_is_beside_the_toml_file(shop: Shop) -> None:
    """A path that is not absolute begins where the TOML file is."""
    shop.frame(5, destination="feeds/all.xml")
    outcome = export(5, shop.environment())
    assert outcome.status == "delivered", outcome.error
    assert (outcome.answer or {})["destination"] == "feeds/all.xml"
    assert len(offers((shop.folder / "feeds" / "all.xml").read_bytes())) == 2
    assert names(shop) == ["all.xml"]


def test_a_reader_never_sees_a_part(shop: Shop) -> None:
    """While it is exported again and again, each look at the file is a whole feed."""
    shop.sell({"description": "long " * 100} for _ in range(2_000))
    target = shop.folder / "feeds" / "all.xml"
    shop.frame(5, destination=str(target))
    environment = shop.environment()
    assert export(5, environment).status == "delivered"
    ended = threading.Event()
    torn: list[int] = []
    looks = 0

    def look() -> None:
        nonlocal looks
        while not ended.is_set():
            data = target.read_bytes()
            looks += 1
            if not (data.startswith(b"<?xml") and data.endswith(b"</yml_catalog>\n")):
                torn.append(len(data))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(5):
            assert export(5, environment).status == "delivered"
    finally:
        ended.set()
        reader.join()
    assert torn == []
    assert looks > 5


def test_a_file_that_cannot_be_written_stays(shop: Shop) -> None:
    """A missing folder, or a folder in its place: an error in a line; nothing else is touched."""
    (shop.folder / "feeds" / "taken" / "below").mkdir(parents=True)
    for destination, words in (("nowhere/all.xml", "No such file"), ("feeds/taken", "directory")):
        shop.frame(5, destination=destination)
        outcome = export(5, shop.environment())
        assert outcome.status == "error"
        assert "cannot be written" in str(outcome.error)
        assert words in str(outcome.error)
    assert names(shop) == ["taken"]
    assert not (shop.folder / "nowhere").exists()


def test_a_feed_that_failed_leaves_the_last_one(shop: Shop) -> None:
    """When there is nothing to offer any more, the file is what it was."""
    shop.frame(5, destination="feeds/all.xml")
    assert export(5, shop.environment()).status == "delivered"
    shop.execute("DELETE FROM offers")
    assert export(5, shop.environment()).status == "error"
    assert len(offers((shop.folder / "feeds" / "all.xml").read_bytes())) == 2


def test_an_unchanged_file_that_was_removed_is_written_again(shop: Shop) -> None:
    """`skip_unchanged` looks whether the file is there."""
    shop.frame(5, destination="feeds/all.xml", skip_unchanged=True)
    target = shop.folder / "feeds" / "all.xml"
    statuses = [export(5, shop.environment()).status for _ in range(2)]
    target.unlink()
    statuses.append(export(5, shop.environment()).status)
    assert statuses == ["delivered", "unchanged", "delivered"]
    assert target.exists()


def test_a_full_disk_is_an_error_and_leaves_no_part(shop: Shop) -> None:
    """What cannot be written is told; /dev/full stands for a disk without room."""
    (shop.folder / "feeds" / ".all.xml.part").symlink_to("/dev/full")
    shop.frame(5, destination="feeds/all.xml")
    outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert "No space left" in str(outcome.error)
    assert names(shop) == []
