"""A worker is killed amid its work: nothing is sent twice, and nothing is lost."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from database.engine import open_database
from database.outbox import claim_mail, hand_over, mark_sent
from database.subscribers import add_subscriber
from tests.services.mailbox import Mailbox
from tests.services.postgres import running_postgres
from tests.services.processes import free_port
from tests.tasks.mail.world import ANN, Emit, emit, end, mails, pass_time

ROOT = Path(__file__).parents[3]
WORKER = """
import sys
from tests.tasks.mail.world import emit
print(emit(*sys.argv[1:]).status)
"""


def start(url: str, box: Mailbox) -> "subprocess.Popen[str]":
    """Start a worker with the job."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, f"smtp://127.0.0.1:{box.port}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(url: str, box: Mailbox, moment: str) -> None:
    """Kill a worker at a moment of its conversation."""
    pids: list[int] = []
    setattr(box, moment, lambda: os.kill(pids[0], signal.SIGKILL))
    worker = start(url, box)
    pids.append(worker.pid)
    assert worker.communicate(timeout=60)[0] == ""
    assert worker.returncode == -signal.SIGKILL
    setattr(box, moment, lambda: None)


def test_killed_after_the_server_took_the_mail(
    engine: Engine, url: str, events: Emit, box: Mailbox, ann: str
) -> None:
    """Nobody can know that it did: the mail is named as unsure, and sent again only on demand."""
    end(engine)
    killed(url, box, "at_mail")
    assert mails(engine) == [(ann, "handing", 0)]
    # Until its claim ends it may still live.
    assert events().status == "nothing"
    pass_time(engine)
    outcome = events()
    assert outcome.status == "unsure"
    assert outcome.answer
    (first,) = box.mails
    assert outcome.answer["newly_unsure"] == [f"{first['Message-ID']} to {ann}"]
    assert outcome.answer["unsure"] == 1
    assert len(box.mails) == 1
    assert events().status == "nothing"
    assert events({"resend": "unsure"}).status == "sent"
    _, again = box.mails
    assert again["Message-ID"] == first["Message-ID"]
    assert again.as_bytes() == first.as_bytes()


def test_killed_before_the_server_had_the_mail(
    engine: Engine, url: str, events: Emit, box: Mailbox, ann: str
) -> None:
    """Before the end of the mail's text nothing was sent: it is sent by the next one, by itself."""
    end(engine)
    killed(url, box, "at_recipient")
    assert mails(engine) == [(ann, "sending", 0)]
    assert events().status == "nothing"
    pass_time(engine)
    assert events().status == "sent"
    assert len(box.mails) == 1
    assert mails(engine) == [(ann, "sent", 1)]


def test_delivered_again(engine: Engine, url: str, events: Emit, box: Mailbox, ann: str) -> None:
    """A worker that dies after all was done, before its message is acknowledged: nothing twice."""
    end(engine)
    workers = [start(url, box) for _ in range(2)]
    said = sorted(worker.communicate(timeout=60)[0] for worker in workers)
    assert said in (["nothing\n", "sent\n"], ["sent\n", "sent\n"])
    assert events().status == "nothing"
    assert box.recipients == [[ann]]


def test_a_claim_that_ended_is_of_no_use(engine: Engine, url: str, events: Emit, ann: str) -> None:
    """Who was too slow hands nothing over; who is late with the good news still brings it."""
    end(engine)
    assert emit(url, "smtp://127.0.0.1:1").status == "delayed"
    slow = claim_mail(engine)
    assert slow is not None
    pass_time(engine)
    assert claim_mail(engine) is None
    assert events().status == "sent"
    assert not hand_over(engine, slow.id, slow.claim)
    end(engine)
    assert emit(url, "smtp://127.0.0.1:1").status == "delayed"
    late = claim_mail(engine)
    assert late is not None
    assert hand_over(engine, late.id, late.claim)
    pass_time(engine)
    assert events().status == "unsure"
    assert mark_sent(engine, late.id, late.claim)
    assert mails(engine)[-1] == (ann, "sent", 0)


def test_a_database_that_dies_before_it_is_noted(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is killed when the server has taken the mail: it is noted when it is back."""
    # Its recovery may take longer than the pauses that are waited for.
    monkeypatch.setattr("commands.cron_events.sending.NOTING_PAUSES", (0.5,) * 240)
    with running_postgres() as cluster, cluster.database() as url:
        engine = open_database(url)
        add_subscriber(engine, ANN, ["runs"])
        end(engine)
        back = threading.Timer(0.3, cluster.start)

        def die() -> None:
            cluster.kill()
            back.start()

        box.at_mail = die
        outcome = emit(url, f"smtp://127.0.0.1:{box.port}")
        back.join()
        assert outcome.status == "sent"
        assert mails(engine) == [(ANN, "sent", 0)]
        engine.dispose()
    assert len(box.mails) == 1


def test_a_database_that_stays_away(box: Mailbox) -> None:
    """The job fails in one line after some tries, and has sent nothing."""
    url = f"postgresql+psycopg2://rollcall:sesame@127.0.0.1:{free_port()}/rollcall"
    outcome = emit(url, f"smtp://127.0.0.1:{box.port}")
    assert outcome.status == "error"
    assert (outcome.error or "").startswith("OutboxAway: the database ")
    assert "sesame" not in (outcome.error or "")
    assert box.mails == []
