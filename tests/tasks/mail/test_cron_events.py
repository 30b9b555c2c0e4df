"""`cron_events` tells everybody what they asked for, once, over a real SMTP server."""

import threading
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine, insert, select, update

from database.engine import open_database, reading, transaction
from database.subscribers import add_subscriber, remove_subscriber
from database.tables import digests, now, outbox, runs
from tests.database.rows import keys, make_stage
from tests.services.mailbox import Mailbox
from tests.tasks.mail.world import ANN, BOB, SENDER, Emit, emit, end, fail, mails

AT_ONCE = 4


def bodies(mail: EmailMessage) -> tuple[str, str]:
    """Return a mail's text and its HTML."""
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return str(text.get_content()), str(html.get_content())


def test_everybody_is_told_what_they_asked_for(engine: Engine, events: Emit, box: Mailbox) -> None:
    """Each gets a mail of their own, over one conversation, with what is of their topics."""
    end(engine)
    events()
    add_subscriber(engine, ANN, ["changes", "runs", "jobs"])
    add_subscriber(engine, BOB, ["jobs"])
    end(engine, gone=["name1.org", "name2.org"])
    end(engine, gone=["name1.org", "name2.org"])
    fail(engine, 17, error="HTTP 500")
    outcome = events()
    assert (outcome.status, outcome.error) == ("sent", None)
    counts = {"posted": 2, "sent": 2, "delayed": 0, "failed": 0, "unsure": 0}
    assert outcome.answer == counts
    assert box.recipients == [[ANN], [BOB]]
    assert len(set(box.peers)) == 1
    ann, bob = box.mails
    assert ann["Subject"] == "Rollcall: 2 runs ended, 2 results changed, 17 jobs failed"
    assert bob["Subject"] == "Rollcall: 17 jobs failed"
    for mail, address in ((ann, ANN), (bob, BOB)):
        assert (mail["From"], mail["To"]) == (SENDER, address)
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["List-Unsubscribe"] is None
        assert mail["Date"].datetime.tzinfo
        assert mail["Message-ID"].endswith("@example.com>")
        for body in bodies(mail):
            assert "cron_frame: 17 jobs failed" in body
            assert "HTTP 500" in body
            assert "#17, payload 17" in body.replace("<code>", "")
    assert ann["Message-ID"] != bob["Message-ID"]
    for body in bodies(ann):
        assert "name1.org: resolves" in body
        assert "18" in body
    assert "host: 2 nxdomain, 18 resolves" in bodies(ann)[0]
    assert all("name1.org" not in body for body in bodies(bob))


def test_nothing_is_told_twice(engine: Engine, events: Emit, box: Mailbox, ann: str) -> None:
    """What was told is history; a run that ends once more by a retry, too; the rest is not."""
    run = end(engine)
    assert events().status == "sent"
    with transaction(engine) as connection:
        connection.execute(update(runs).where(runs.c.number == run).values(ended_at=now()))
    again = events()
    assert (again.status, again.answer and again.answer["posted"]) == ("nothing", 0)
    fail(engine)
    assert events().status == "sent"
    assert [mail["Subject"] for mail in box.mails] == [
        "Rollcall: 1 run ended",
        "Rollcall: 1 job failed",
    ]
    assert mails(engine) == [(ann, "sent", 0)] * 2


def test_several_at_once_tell_it_once(engine: Engine, events: Emit, box: Mailbox) -> None:
    """Jobs that run at the same moment share the mails out between them."""
    people = sorted(f"p{n:02}@example.org" for n in range(20))
    for address in people:
        add_subscriber(engine, address, ["runs", "jobs"])
    for _ in range(3):
        end(engine)
        fail(engine, 5)
        box.mails.clear()
        box.recipients.clear()
        together = threading.Barrier(AT_ONCE)

        def work(_: int, together: threading.Barrier = together) -> str:
            together.wait(timeout=30)
            return events().status

        with ThreadPoolExecutor(AT_ONCE) as threads:
            statuses = set(threads.map(work, range(AT_ONCE)))
        assert statuses <= {"sent", "nothing"}
        subjects = {mail["Subject"] for mail in box.mails}
        assert subjects == {"Rollcall: 1 run ended, 5 jobs failed"}
        assert sorted(address for (address,) in box.recipients) == people
        with transaction(engine) as connection:
            connection.exec_driver_sql("DELETE FROM jobs")
    assert {state for _, state, _ in mails(engine)} == {"sent"}


def test_a_late_commit_is_not_left_out(postgres_url: str, box: Mailbox) -> None:
    """What ended before the last mail and was committed after it is in the next one."""
    engine = open_database(postgres_url)
    smtp = f"smtp://127.0.0.1:{box.port}"
    add_subscriber(engine, ANN, ["runs"])
    late = make_stage(engine, keys(3))
    with transaction(engine) as connection:
        connection.execute(update(runs).where(runs.c.number == late.run).values(ended_at=now()))
        end(engine)
        assert emit(postgres_url, smtp).status == "sent"
    assert emit(postgres_url, smtp).status == "sent"
    assert [mail["Subject"] for mail in box.mails] == ["Rollcall: 1 run ended"] * 2
    assert emit(postgres_url, smtp).status == "nothing"
    engine.dispose()


def test_who_subscribes_is_told_no_history(engine: Engine, events: Emit, box: Mailbox) -> None:
    """Not what ended before, though nobody was told of it, though no job has run since."""
    end(engine)
    fail(engine, error="before")
    add_subscriber(engine, ANN, ["runs", "jobs"])
    assert events().status == "nothing"
    end(engine)
    add_subscriber(engine, BOB, ["runs", "jobs"])
    fail(engine, error="after")
    assert events().status == "sent"
    assert {(mail["To"], mail["Subject"]) for mail in box.mails} == {
        (ANN, "Rollcall: 1 run ended"),
        (ANN, "Rollcall: 1 job failed"),
        (BOB, "Rollcall: 1 job failed"),
    }


def test_who_leaves_is_told_nothing_more(engine: Engine, url: str, ann: str) -> None:
    """Not even what waits for them; and one who is not there cannot leave."""
    end(engine)
    delayed = emit(url, "smtp://127.0.0.1:1")
    assert (delayed.status, mails(engine)) == ("delayed", [(ann, "pending", 0)])
    assert remove_subscriber(engine, ann)
    assert mails(engine) == []
    assert not remove_subscriber(engine, ann)
    end(engine)
    # Nobody is to be told, so no server is needed.
    assert emit(url, None).status == "nothing"


def test_its_own_failures_make_no_mail(engine: Engine, events: Emit, ann: str) -> None:
    """A job `cron_events` that failed is seen in the UI: a mail a minute would be a flood."""
    fail(engine, 3, command="cron_events")
    assert events().status == "nothing"
    assert mails(engine) == []


def test_a_digest_whose_maker_died_is_posted(engine: Engine, events: Emit, ann: str) -> None:
    """Between the digest and its mails a worker may die: the next one makes the mails."""
    run = end(engine)
    with transaction(engine) as connection:
        made = connection.execute(insert(digests).returning(digests.c.id)).scalar_one()
        connection.execute(update(runs).where(runs.c.number == run).values(digest=made))
    assert events().status == "sent"
    with reading(engine) as connection:
        assert connection.execute(select(outbox.c.subject)).scalars().all() == [
            "Rollcall: 1 run ended"
        ]


@pytest.mark.parametrize(
    "payload", [5, "unsure", {"resend": "sent"}, {"resend": "unsure", "x": 1}, [1], True]
)
def test_a_wrong_payload_is_one_line(events: Emit, payload: object, ann: str) -> None:
    """A payload that is of no use fails the job, and says which are of use."""
    outcome = events(payload)
    assert outcome.status == "error"
    assert outcome.error
    assert "\n" not in outcome.error
    assert '{"resend": "unsure"}' in outcome.error


def test_without_a_server_nothing_is_lost(engine: Engine, url: str, box: Mailbox, ann: str) -> None:
    """With subscribers and no setting it fails; what it had to tell is told when there is one."""
    end(engine)
    for smtp, sender, words in (
        (None, SENDER, "needs ROLLCALL_SMTP_URL"),
        ("smtp://ann:sesame@", SENDER, "ROLLCALL_SMTP_URL is wrong"),
        (f"smtp://127.0.0.1:{box.port}", "", "ROLLCALL_MAIL_FROM="),
    ):
        outcome = emit(url, smtp, mail_from=sender)
        assert outcome.status == "error"
        assert words in (outcome.error or "")
        assert "sesame" not in (outcome.error or "")
    assert emit(url, f"smtp://127.0.0.1:{box.port}").status == "sent"
