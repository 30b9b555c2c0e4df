"""The report of a run, as Prefect's UI and a terminal get it."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from database.comparison import Change
from database.lists import StoredList
from tasks.report import markdown_report, printable, text_report
from tasks.summary import CheckSummary, RunSummary

LEDGER = {
    "lines": 1_009,
    "blank": 1,
    "comment": 2,
    "names": 1_006,
    "invalid": 3,
    "duplicate": 2,
    "unique": 1_001,
}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a | b | c",
    "`code`",
    "``` fence",
    "[words](https://python.org)",
    "![picture](https://python.org/p.png)",
    "<https://python.org>",
    "https://python.org/a_b?c=d",
    "www.python.org",
    "somebody@python.org",
    "**bold** _slanted_ ~~gone~~",
    "# heading",
    "&lt;b&gt;",
    "back\\slash\\|",
    "two\nlines\r\n\n# here",
    "[reference][1]",
]
#: What the report is made of by itself.
OWN = {"paragraph", "heading", "table", "thead", "tbody", "tr", "th", "td", "text", "inline"}


def changed(text: str) -> Change:
    """Make a change with a stranger's text in it."""
    return Change(
        name=text,
        before_status="nxdomain",
        after_status="resolves",
        before_answer=None,
        after_answer=text,
    )


def summary(text: str = "harmless") -> RunSummary:
    """Make a summary in which a stranger's text stands wherever one can."""
    check = CheckSummary(
        name="host",
        statuses={"resolves": 1_000, "nxdomain": 0, "error": 1},
        unknown=1,
        counters={f"{text} answered": 2_000},
        slowest=[(text, "resolves", 1_234.56)],
        examples={"error": [(text, text), ("gnu.org", None)]},
        changes={"status": 1, "answer": 1},
        changed={"status": [changed(text)], "answer": [changed(text)]},
    )
    stored = StoredList(
        id=1,
        name=text,
        description=f"CSV, names in column 1 ({text})",
        truncated=text,
        ledger=LEDGER,
        reasons={"underscore": 1, "empty label": 2},
    )
    return RunSummary(
        stored=stored,
        checks=[check],
        rejected=[(7, text, "underscore")],
        seconds=2.0,
        file=f"1,001 rows in {text}.csv",
        previous=3,
    )


def kinds(markdown: str) -> list[str]:
    """List what a Markdown reader takes the text for."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    flat = [part for token in tokens for part in (token, *(token.children or ()))]
    return [re.sub("_(open|close)$", "", token.type) for token in flat]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_markup_is_shown_and_not_obeyed(text: str) -> None:
    """Whatever a name or an error holds, the report has the parts of a harmless one, no more."""
    report = markdown_report(summary(text))
    found = [kind for kind in kinds(report) if kind != "text"]
    assert found == [kind for kind in kinds(markdown_report(summary())) if kind != "text"]
    assert set(found) <= OWN | {"strong", "text"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_text_can_still_be_read(text: str) -> None:
    """A reader of the rendered report sees the text as it is, but for its blanks."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown_report(summary(text)))
    cells = {
        "".join(part.content for part in token.children or ())
        for token in tokens
        if token.type == "inline"
    }
    assert " ".join(text.split()) in cells


@pytest.mark.parametrize("text", ["https://python.org", "www.python.org", "a@python.org"])
def test_nothing_becomes_a_link(text: str) -> None:
    """No address stands in the report as readers look for it that make links of bare ones."""
    report = markdown_report(summary(text))
    assert not re.search(r"https?://|www\.|\w@\w", report)


def test_the_report_says_everything() -> None:
    """Ledger, rejected names, statuses, counters, slowest and examples are there with figures."""
    report = markdown_report(summary())
    for line in (
        "| lines | blank | comment | names | invalid | duplicate | unique |",
        "| 1,009 | 1 | 2 | 1,006 | 3 | 2 | 1,001 |",
        "| empty label | 2 |",
        "| 7 | harmless | underscore |",
        "Answered: 1,000 of 1,001, 99.90 %",
        "| nxdomain | 0 |",
        "| harmless answered | 2,000 |",
        "| harmless | resolves | 1,234.6 |",
        "| gnu\\.org |  |",
    ):
        assert line in report.splitlines()


def test_the_text_report_says_the_same() -> None:
    """A terminal gets the ledger, the reasons, the statuses and the pace."""
    lines = [" ".join(line.split()) for line in text_report(summary()).splitlines()]
    for line in (
        *(f"{key} {count:,}" for key, count in LEDGER.items()),
        "empty label 2",
        "host (answered 1,000 of 1,001, 99.90 %)",
        "resolves 1,000",
        "harmless answered: 2,000",
        "1,001 domains in 2.0 s. Results: 1,001 rows in harmless.csv",
    ):
        assert line in lines
    assert lines.index("empty label 2") < lines.index("underscore 1")


def test_a_run_without_rejected_names_says_nothing_of_them() -> None:
    """An empty table is left out."""
    assert "Rejected" not in markdown_report(replace(summary(), rejected=[]))


def test_a_terminal_obeys_no_stranger() -> None:
    """Control characters, and what no encoding can write, come out as a replacement."""
    report = text_report(summary("\x1b[2J\x07\x9b1m\udcff\u202e"))
    assert all(line.isprintable() for line in report.split("\n"))
    assert report.encode()
    assert printable("café\tmünchen\n") == "café\ufffdmünchen\ufffd"
