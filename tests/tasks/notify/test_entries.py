"""Who is told of what, and what is refused before a run begins."""

from typing import Any

import pytest

from tasks.errors import InputError
from tasks.notify import Entry, Notice, parse_entries
from tasks.notify.channels import parse_target
from tasks.notify.message import SAMPLE
from tasks.settings import Settings

MAIL: dict[str, Any] = {
    "smtp_url": "smtp://127.0.0.1:25",
    "mail_from": "rollcall@example.com",
}
SECRET = "T0pSecretT0ken"


@pytest.mark.parametrize(
    ("on", "told"),
    [
        (None, {"completed", "changed", "failed"}),
        (["ended"], {"completed", "changed"}),
        (["failed"], {"failed"}),
        (["changed"], {"changed"}),
        (["failed", "changed"], {"failed", "changed"}),
    ],
)
def test_on_says_what_is_told(on: list[str] | None, told: set[str]) -> None:
    """Ended means completed, with changes or without; a target alone is told of every end."""
    raw: Any = "json://127.0.0.1/" if on is None else {"to": "json://127.0.0.1/", "on": on}
    (entry,) = parse_entries([raw], Settings())
    notices = [
        Notice.model_validate({**dict(SAMPLE), "state": state})
        for state in ("completed", "changed", "failed")
    ]
    assert {notice.state for notice in notices if entry.wants(notice)} == told


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("mailto:ann@example.org", "mailto:ann@example.org"),
        ("mailto: ann@example.org , bob@example.org,", "mailto:ann@example.org,bob@example.org"),
        ("block:slack-webhook/operators", "block:slack-webhook/operators"),
        (
            f"json://ann:{SECRET}@127.0.0.1:8080/{SECRET}?x={SECRET}",
            "json://ann:****@127.0.0.1:8080",
        ),
        (f"mailto://ann:{SECRET}@example.org", "mailto://ann:****@example.org"),
        ("ntfy://ntfy.sh/topic", "ntfy://ntfy.sh"),
    ],
)
def test_targets_are_shown_without_secrets(target: str, shown: str) -> None:
    """A good target can be named in a log."""
    parsed = parse_target(target, Settings(**MAIL))
    assert parsed.shown == shown
    assert SECRET not in repr(parsed)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "this is no target"),
        ("ann@example.org", "this is no target"),
        (f"slak://{SECRET}/{SECRET}", "'slak://…' is no target"),
        (f"slack://{SECRET}", "'slack://…' is no target"),
        ("mailto:", "names nobody"),
        ("mailto:ann", "mailto:ann is no e-mail address"),
        ("mailto:ann@example.org,bob@", "mailto:bob@ is no e-mail address"),
        ("mailto:ann@example.org?cc=eve@example.org", "is no e-mail address"),
        ("mailto:a\r\nBcc: eve@example.org", "is no e-mail address"),
        (f"mailto:ann:{SECRET}@example.org", "mailto:***@example.org is no e-mail address"),
        ("block:operators", "write block:<type>/<name>"),
        ("block:../../x", "write block:<type>/<name>"),
        ({"on": ["ended"]}, "to: Field required"),
        ({"to": f"json://{SECRET}", "on": []}, "on: "),
        ({"to": f"json://{SECRET}", "on": ["endet"]}, "on.0: Input should be 'ended', "),
        ({"to": f"json://{SECRET}", "at": 5}, "at: Extra inputs"),
        ({"to": f"json://{SECRET}" * 1_000}, "to: String should have at most"),
        (7, "as a whole: "),
        ({"to": "json://127.0.0.1/", "template": "{{ nope }}"}, "template: UndefinedError"),
        ({"to": "json://127.0.0.1/", "template": "\n{% if %}"}, "template: line 2: "),
    ],
)
def test_what_is_wrong_is_said_before(raw: Any, why: str) -> None:
    """An entry that cannot be used is refused in one line, by its number and without a secret."""
    with pytest.raises(InputError) as refused:
        parse_entries(["json://127.0.0.1/", raw], Settings(**MAIL))
    message = str(refused.value)
    assert message.startswith("notify, entry 2")
    assert why in message
    assert SECRET not in message
    assert len(message.splitlines()) == 1


def test_there_are_not_too_many() -> None:
    """A list of names in the wrong field is refused."""
    with pytest.raises(InputError, match="1000 entries"):
        parse_entries(["json://127.0.0.1/"] * 1_000, Settings())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "needs ROLLCALL_SMTP_URL"),
        ({"smtp_url": f"http://ann:{SECRET}@host"}, "ROLLCALL_SMTP_URL is wrong"),
        ({"smtp_url": f"smtp://ann:{SECRET}@"}, "ROLLCALL_SMTP_URL is wrong"),
        ({"smtp_url": f"smtp://ann:{SECRET}@host:port"}, "ROLLCALL_SMTP_URL is wrong"),
        ({"smtp_url": f"smtp://ann:{SECRET}@host?starttls=yes"}, "ROLLCALL_SMTP_URL is wrong"),
        ({"smtp_url": f"smtp://ann:{SECRET}@host?tls=1"}, "ROLLCALL_SMTP_URL is wrong"),
        ({"smtp_url": "smtp://host"}, "ROLLCALL_MAIL_FROM= is no e-mail address"),
        ({"smtp_url": "smtp://host", "mail_from": "me"}, "ROLLCALL_MAIL_FROM=me is no"),
    ],
)
def test_mail_needs_its_settings(settings: dict[str, Any], why: str) -> None:
    """Without a server and a sender an e-mail is refused before the run begins."""
    with pytest.raises(InputError) as refused:
        parse_entries(["mailto:ann@example.org"], Settings(**settings))
    assert why in str(refused.value)
    assert SECRET not in str(refused.value)


def test_an_entry_is_taken_as_it_is() -> None:
    """What the run form gives is checked as well as a mapping."""
    entry = Entry(to="block:slack-webhook/operators", on=frozenset({"changed"}))
    assert parse_entries([entry], Settings()) == (entry,)
    assert "slack" not in repr(entry)
