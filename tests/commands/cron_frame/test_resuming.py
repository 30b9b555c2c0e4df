"""An upload that was cut off goes on where it stopped: in the same job, and in the next one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.cron_frame.receiver import (
    Receiver,
    Request,
    Tus,
    answers,
    cuts,
    receiving,
)
from tests.commands.cron_frame.shop import Shop, export, offers, wait_for

ROOT = Path(__file__).parents[3]
MANY = 1_500
#: Runs a job in a process of its own, which is going to be killed.
JOB = """
import sys
from pathlib import Path
from commands.environment import Environment
from tests.commands.cron_frame.shop import export

export(5, Environment(feeds=Path(sys.argv[1]), work_folder=Path(sys.argv[2])))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a shop whose feed has some megabytes."""
    found = Shop(tmp_path)
    found.sell({"description": f"{n} " + "long " * 550} for n in range(MANY))
    return found


def patches(server: Receiver) -> Iterator[Request]:
    """List the requests that sent something."""
    return (request for request in server.requests if request.method == "PATCH")


def whole(server: Tus) -> bytes:
    """Put together what was sent; nothing of it was sent twice."""
    sent = b"".join(bytes(request.body) for request in patches(server))
    (upload,) = server.uploads.values()
    assert sent == upload
    return sent


def test_what_has_arrived_is_not_sent_again(shop: Shop) -> None:
    """Cut off three times, the upload goes on at the very byte; more often than `tries` says."""
    with receiving(Tus(1_000_000, 5, 700_000)) as server:
        shop.frame(5, destination=f"{server.url}/files", resume="tus", backoff_seconds=0, tries=2)
        outcome = export(5, shop.environment())
    assert isinstance(server, Tus)
    assert outcome.status == "delivered", outcome.error
    offsets = [int(request.headers["upload-offset"]) for request in patches(server)]
    assert offsets == [0, 1_000_000, 1_000_005, 1_700_005]
    assert len(offers(whole(server))) == MANY
    assert (outcome.answer or {})["tries"] == 4


def test_no_progress_is_given_up(shop: Shop) -> None:
    """Tries in which nothing arrives are counted."""
    with receiving(Tus(*[0] * 9)) as server:
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0, tries=3)
        outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert len(list(patches(server))) == 3


def test_an_upload_that_was_forgotten_begins_anew(shop: Shop) -> None:
    """A server that knows nothing of the upload gets another one, from the start."""
    with receiving(Tus(1_000_000, forgets=True)) as server:
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0)
        assert export(5, shop.environment()).status == "delivered"
    assert isinstance(server, Tus)
    (upload,) = server.uploads.values()
    assert len(offers(bytes(upload))) == MANY


def test_the_next_job_goes_on(shop: Shop) -> None:
    """The export of a job that could not deliver it is not built anew, and its upload goes on."""
    with receiving(Tus(1_000_000)) as server:
        shop.frame(5, destination=server.url, resume="tus", tries=1)
        assert export(5, shop.environment()).status == "error"
        # What is sold now is for the export after this one.
        shop.execute("DELETE FROM offers")
        outcome = export(5, shop.environment())
    assert isinstance(server, Tus)
    assert outcome.status == "delivered", outcome.error
    answer = outcome.answer or {}
    assert (answer["reused"], answer["offers"]) == (True, MANY)
    assert len(offers(whole(server))) == MANY


def test_the_job_after_a_killed_one_goes_on(shop: Shop) -> None:
    """Killed in the middle of an upload: the next process sends the rest, and only that."""
    server = Tus(1_000_000, holds=True)
    with receiving(server):
        shop.frame(5, destination=server.url, resume="tus")
        command = [sys.executable, "-c", JOB, str(shop.file), str(shop.folder / "work")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, env=environment) as process:
            wait_for(lambda: any(len(one.body) == 1_000_000 for one in patches(server)))
            process.send_signal(signal.SIGKILL)
        server.released.set()
        wait_for(lambda: not any(server.under_way.values()))
        outcome = export(5, shop.environment())
    assert outcome.status == "delivered", outcome.error
    assert (outcome.answer or {})["reused"]
    assert len(offers(whole(server))) == MANY


def test_an_upload_that_arrived_unnoticed_is_not_sent_again(shop: Shop) -> None:
    """When only the last answer was lost, asking is all that is left to do."""
    with receiving(Tus()) as server:
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0)
        environment = shop.environment()
        assert export(5, environment).status == "delivered"
        (length,) = server.lengths.values()  # type: ignore[attr-defined]
    with receiving(Tus(length)) as server:
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0)
        assert export(5, environment).status == "delivered"
        assert [request.method for request in server.requests] == ["POST", "PATCH", "HEAD"]


@pytest.mark.parametrize(
    ("talk", "words"),
    [
        (answers(201), "without Location"),
        (answers(201, Location="https://elsewhere.example/1"), "name that server"),
        (answers(200), "without Location"),
        (answers(403, b"not you"), "answers 403: not you"),
        (answers(412), "answers 412"),
    ],
    ids=["no-location", "elsewhere", "no-tus", "forbidden", "version"],
)
def test_a_server_without_tus_is_refused(shop: Shop, talk: object, words: str) -> None:
    """What is no answer of tus is an error that says so; nothing is sent there."""
    with receiving(Receiver(talk)) as server:  # type: ignore[arg-type]
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0)
        outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert words in str(outcome.error)
    assert not list(patches(server))


@pytest.mark.parametrize("offset", ["", "-1", "x", "99999999999"])
def test_an_impossible_offset_is_refused(shop: Shop, offset: str) -> None:
    """Whatever the server says of what it has, we do not send what is not there."""
    script = [answers(201, Location="/1"), cuts(10), answers(200, Upload_Offset=offset)]
    with receiving(Receiver(*script)) as server:
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0)
        outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert "Upload-Offset" in str(outcome.error)


def test_a_plain_upload_of_the_next_job_is_the_same_export(shop: Shop) -> None:
    """Without tus it starts over, with the same bytes under the same key."""
    with receiving(Receiver(cuts(1_000_000), answers())) as server:
        shop.frame(5, destination=server.url, tries=1)
        assert export(5, shop.environment()).status == "error"
        shop.execute("DELETE FROM offers")
        assert export(5, shop.environment()).status == "delivered"
    first, second = server.requests
    assert second.body.startswith(first.body)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@pytest.mark.parametrize("what", ["old", "other", "torn", "lost", "scrambled"])
def test_an_export_that_is_not_what_would_be_made_is_made_anew(shop: Shop, what: str) -> None:
    """Too old, of another configuration, or not whole: it is not delivered."""
    with receiving(Receiver(answers(400), answers())) as server:
        shop.frame(5, destination=server.url)
        assert export(5, shop.environment()).status == "error"
        kept = shop.folder / "work" / "frame-5"
        if what in {"old", "other"}:
            changed = {"reuse_seconds": 0} if what == "old" else {"headers": {"X": "1"}}
            shop.frame(5, destination=server.url, **changed)
        elif what == "torn":
            os.truncate(kept / "export", 1_000)
        elif what == "lost":
            (kept / "export").unlink()
        else:
            (kept / "note.json").write_text("{}")
        shop.execute("DELETE FROM offers WHERE id > '1'")
        outcome = export(5, shop.environment())
    assert outcome.status == "delivered", outcome.error
    assert not (outcome.answer or {})["reused"]
    assert len(offers(bytes(server.requests[1].body))) == 1


def test_nothing_is_left_after_a_delivery(shop: Shop) -> None:
    """Of an export that was delivered only the note stays, which others cannot read."""
    with receiving(Tus(1_000)) as server:
        shop.frame(5, destination=server.url, resume="tus", backoff_seconds=0)
        assert export(5, shop.environment()).status == "delivered"
    kept = shop.folder / "work" / "frame-5"
    assert [path.name for path in kept.iterdir()] == ["note.json"]
    assert kept.stat().st_mode & 0o077 == 0
    assert "sesame" not in (kept / "note.json").read_text()
