"""People hear how a run ended, over a real SMTP server; who cannot be told stops nothing."""

from collections.abc import Iterator

import pytest

from tests.flows.fixtures import Check
from tests.flows.worlds import AFTER, BEFORE, world
from tests.services.mailbox import Mailbox, running_smtp
from tests.services.processes import free_port

ANN = "mailto:ann@example.org"
CHANGES = {"to": ANN, "on": ["changed"]}


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """Give a mailbox whose server the flow knows."""
    with running_smtp() as opened:
        monkeypatch.setenv("ROLLCALL_SMTP_URL", f"smtp://127.0.0.1:{opened.port}")
        monkeypatch.setenv("ROLLCALL_MAIL_FROM", "rollcall@example.com")
        yield opened


def texts(box: Mailbox) -> list[str]:
    """Return the plain texts of the mails."""
    bodies = [mail.get_body(("plain",)) for mail in box.mails]
    return [str(body.get_content()) for body in bodies if body is not None]


def test_a_run_that_ended(check: Check, box: Mailbox) -> None:
    """The mail has the run's headline, its counts and its result file."""
    summary = check(domains="python.org lamedelegation.com", notify=[ANN, CHANGES]).result()
    (text,) = texts(box)
    assert "Completed with 1 unknown. 2 domains. host: 1 resolves" in text
    assert summary.file in text


def test_a_run_that_changed_something(
    check: Check, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wants to hear of changes hears of nothing else, in words of their own."""
    template = "Subject: {{ headline }}\n{% for one in examples %}{{ one.domain }} {% endfor %}"
    entry = {**CHANGES, "template": template}
    with world(BEFORE, monkeypatch):
        check(domains=" ".join(BEFORE), notify=[entry])
        check(file="list:latest", notify=[entry])
    assert box.mails == []
    with world(AFTER, monkeypatch):
        state = check(file="list:latest", notify=[entry])
    assert [mail["Subject"] for mail in box.mails] == [state.message]
    assert set(texts(box)[0].split()) == {"moved.org", "lost.org", "found.org"}


def test_a_run_that_failed(check: Check, box: Mailbox) -> None:
    """A refused run, too, is told of, with what to mend."""
    check(domains="10.0.0.1", notify=[ANN])
    (text,) = texts(box)
    assert "There is no valid domain name" in text


def test_a_defect(check: Check, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is told of, too, and still fails the run."""

    def broken(*_: object) -> None:
        raise RuntimeError("out of cheese")

    monkeypatch.setattr("flows.check_domains.check_all", broken)
    state = check(domains="python.org", notify=[ANN])
    assert state.is_failed()
    (text,) = texts(box)
    assert "RuntimeError: out of cheese" in text


def test_nobody_at_home_fails_no_run(
    check: Check, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mail server that is away is a warning in the run's log."""
    monkeypatch.setenv("ROLLCALL_SMTP_URL", f"smtp://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ROLLCALL_MAIL_FROM", "rollcall@example.com")
    state = check(domains="python.org", notify=[ANN])
    assert state.is_completed()
    assert "notification 1 (mailto:" in caplog.text
    assert "not sent" in caplog.text


def test_a_wrong_target_is_refused_before_anything_runs(check: Check) -> None:
    """What cannot be told anyone is said at once, and which entry it is."""
    state = check(domains="python.org", notify=[ANN])
    assert state.name == "Refused"
    assert str(state.message).startswith("notify, entry 1")
    assert "ROLLCALL_SMTP_URL" in str(state.message)
