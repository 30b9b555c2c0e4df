"""What a notification says."""

from typing import Any

import pytest

from tasks.notify import Change, Notice
from tasks.notify.message import MAX_EXAMPLES, MAX_TEXT, SAMPLE, TemplateBroken, render

HOSTILE = "<script>alert(1)</script>\r\nBcc: eve@example.com"


def notice(**fields: Any) -> Notice:
    """Make a notice that differs from the sample."""
    return SAMPLE.model_copy(update=fields)


def test_the_default_says_what_there_is_to_know() -> None:
    """Text and HTML have the headline, the counts, the changes, the file and the run's page."""
    message = render(notice(counts={"host": {"resolves": 12_345, "nodata": 0}}, file="out.csv"))
    assert message.subject == "Rollcall: quick-otter changed"
    for text in (message.text, message.html):
        for words in (SAMPLE.headline, "12,345", "example.com", "resolves", "out.csv", SAMPLE.url):
            assert words in text
        assert "nodata" not in text


def test_what_is_missing_leaves_no_trace() -> None:
    """A run that failed before it began has a headline, and no empty headings."""
    message = render(Notice(run="a-run", run_id="1", state="failed", headline="No such file."))
    assert message.subject == "Rollcall: a-run failed"
    assert message.text == "No such file.\n"
    assert message.html == "<p>No such file.</p>\n"


def test_strangers_write_neither_markup_nor_headers() -> None:
    """Tags in a headline are text in HTML, also in a user's template; a subject is one line."""
    hostile = notice(headline=HOSTILE, run=HOSTILE)
    for message in (render(hostile), render(hostile, "Subject: {{ run }}\n{{ headline }}")):
        assert "<script>" not in message.html
        assert "&lt;script&gt;" in message.html
        assert len(message.subject.splitlines()) == 1


def test_only_the_first_examples_are_told() -> None:
    """Of many changed domains a notice has the first ones."""
    change = {"check": "host", "before": "resolves", "after": "nxdomain"}
    changes = [Change(domain=f"{n}.com", **change) for n in range(1_000)]
    made = Notice(run="r", run_id="1", state="changed", headline="h", examples=changes)
    assert [*made.examples] == changes[:MAX_EXAMPLES]


@pytest.mark.parametrize(
    ("template", "subject", "text"),
    [
        ("{{ headline }}", "Rollcall: quick-otter changed", SAMPLE.headline),
        ("Subject: {{ run }}!\n{{ counts.host.nxdomain }}", "quick-otter!", "1"),
        (
            "{{ examples[0].domain }}, {{ 2 * 3 }}",
            "Rollcall: quick-otter changed",
            "example.com, 6",
        ),
    ],
)
def test_a_template_of_ones_own(template: str, subject: str, text: str) -> None:
    """It has the fields of the notice, and may begin with the subject."""
    message = render(SAMPLE, template)
    assert (message.subject, message.text) == (subject, text)
    assert text.replace("'", "&#39;") in message.html


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("one\n{% if %}", "line 2: "),
        ("{{ headline", "line 1: "),
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ counts.mail.valid }}", "no attribute 'mail'"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ headline.__class__.__mro__ }}", "unsafe"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ counts.clear() }}", "unsafe"),
        ("{{ 'x' * 1000000000 }}", "'*' is for numbers"),
        ("{{ 10 ** 10 ** 10 }}", "'**' is for numbers"),
        ("{% for n in range(1000000000) %}{% endfor %}", "Range too big"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("x" * 10_001, "10,000"),
    ],
)
def test_a_broken_template_says_why(template: str, why: str) -> None:
    """What cannot be read or filled in, or wants more than the notice, is refused in one line."""
    with pytest.raises(TemplateBroken) as broken:
        render(SAMPLE, template)
    assert why in str(broken.value)
    assert "\n" not in str(broken.value)


def test_an_endless_text_is_cut() -> None:
    """A template that makes a long text fills no memory."""
    message = render(SAMPLE, "{% for n in range(99999) %}{{ headline }}{% endfor %}")
    assert len(message.text) == MAX_TEXT
