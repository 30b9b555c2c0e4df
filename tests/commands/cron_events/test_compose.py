"""What a mail says, and that what others wrote in it stays text."""

from datetime import UTC, datetime

import pytest

from commands.cron_events.compose import compose
from commands.cron_events.port import Changed, EndedRun, FailedJobs, News, Topic

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>\r\nBcc: eve@example.org\0'
RUN = EndedRun(
    name=HOSTILE,
    ended_at=AT,
    url="http://127.0.0.1:4200/runs/flow-run/1",
    counts={"host": {"resolves": 1_234, "nxdomain": 1}},
    changes={"host": 2},
    examples=[Changed(check="host", domain=HOSTILE, before="resolves", after=HOSTILE)],
)
QUIET = EndedRun(name="quiet.txt", ended_at=AT, counts={"host": {"resolves": 1}})
JOBS = FailedJobs(
    command="cron_frame",
    error=HOSTILE,
    count=17,
    work_queue="frames",
    number=23,
    payload=HOSTILE,
    ended_at=AT,
)
NEWS = News(counts={"runs": 14, "changes": 2, "jobs": 18}, runs=[RUN, QUIET], jobs=[JOBS])
ALL: frozenset[Topic] = frozenset({"changes", "runs", "jobs"})


@pytest.mark.parametrize(
    ("topics", "subject"),
    [
        (ALL, "Rollcall: 14 runs ended, 2 results changed, 18 jobs failed"),
        ({"changes"}, "Rollcall: 2 results changed"),
        ({"runs"}, "Rollcall: 14 runs ended"),
        ({"jobs", "runs"}, "Rollcall: 14 runs ended, 18 jobs failed"),
    ],
    ids=["all", "changes", "runs", "jobs-and-runs"],
)
def test_the_subject_counts_what_is_wanted(topics: frozenset[Topic], subject: str) -> None:
    """In a fixed order, only what there is of the topics."""
    letter = compose(NEWS, topics)
    assert letter is not None
    assert letter.subject == subject


def test_one_of_each() -> None:
    """One is one run, not one runs; thousands have their commas."""
    letter = compose(News(counts={"runs": 1, "changes": 1, "jobs": 1_000}), ALL)
    assert letter is not None
    assert letter.subject == "Rollcall: 1 run ended, 1 result changed, 1,000 jobs failed"


def test_nothing_wanted_is_no_letter() -> None:
    """Neither where nothing happened nor where nobody wants to hear of it."""
    assert compose(News(counts={"runs": 0, "changes": 0, "jobs": 0}), ALL) is None
    assert compose(News(counts={"runs": 3}, runs=[RUN]), {"changes", "jobs"}) is None


def test_who_wants_changes_sees_those_only() -> None:
    """Neither runs without any, nor the counts of the others, nor jobs."""
    letter = compose(NEWS, {"changes"})
    assert letter is not None
    for body in (letter.text, letter.html):
        assert "resolves" in body
        assert "1,234" not in body
        assert "quiet.txt" not in body
        assert "cron_frame" not in body


def test_what_is_left_out_is_counted() -> None:
    """Runs and failures that have no place are said to be there."""
    letter = compose(NEWS, ALL)
    assert letter is not None
    for body in (letter.text, letter.html):
        assert "… and 12 more runs." in body
        assert "… and 1 jobs with other errors." in body
        assert "1,234" in body
        assert "cron_frame: 17 jobs failed" in body


def test_hostile_text_stays_text() -> None:
    """No markup in HTML, no new line in the text, whoever named a list or wrote an error."""
    letter = compose(NEWS, ALL)
    assert letter is not None
    assert "<script" not in letter.html
    assert letter.html.count("&lt;script&gt;") == 5
    assert "\nBcc:" not in letter.text
    assert "\0" not in letter.text + letter.html
