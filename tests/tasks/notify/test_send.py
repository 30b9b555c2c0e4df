"""A notice goes to everybody who wants it, whatever becomes of the others."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.notify import Entry, notify, parse_entries
from tasks.notify.message import SAMPLE, render
from tasks.settings import Settings
from tests.commands.cron_frame.shop import wait_for
from tests.services import listening
from tests.services.processes import free_port
from tests.services.webhook import running_webhook

ROOT = Path(__file__).parents[3]
SECRET = "T0pSecretT0ken"


def send(*raw: str | dict[str, Any], **fields: Any) -> list[str]:
    """Send the sample, with some fields changed."""
    settings = Settings()
    notice = SAMPLE.model_copy(update=fields)
    return notify(parse_entries(raw, settings), notice, settings)


@pytest.mark.parametrize(
    ("state", "kind"), [("completed", "success"), ("changed", "warning"), ("failed", "failure")]
)
def test_a_web_hook_is_told(state: str, kind: str) -> None:
    """A service gets the subject, the text, and whether that is good news."""
    with running_webhook() as hook:
        assert send(f"json://127.0.0.1:{hook.port}/", state=state) == []
    (posted,) = hook.posted
    message = render(SAMPLE.model_copy(update={"state": state}))
    assert (posted["title"], posted["message"]) == (message.subject, message.text.rstrip())
    assert posted["type"] == kind


def test_only_who_wants_it_is_told() -> None:
    """A completed run without changes is no news for who waits for changes or failures."""
    with running_webhook() as hook:
        url = f"json://127.0.0.1:{hook.port}/"
        entries: list[str | dict[str, Any]] = [
            {"to": url, "on": ["changed"]},
            {"to": url, "on": ["failed"]},
            url,
        ]
        assert send(*entries, state="completed") == []
    assert len(hook.posted) == 1


@pytest.mark.parametrize(
    ("statuses", "posts", "problems"), [([500], 2, 0), ([503, 503, 503], 2, 1), ([], 1, 0)]
)
def test_a_failure_is_tried_once_more(statuses: list[int], posts: int, problems: int) -> None:
    """A service that fails gets the notice again, once."""
    with running_webhook(*statuses) as hook:
        found = send(f"json://127.0.0.1:{hook.port}/")
    assert (len(hook.posted), len(found)) == (posts, problems)
    assert all("503" in problem for problem in found)


def test_problems_show_no_secret() -> None:
    """What is said of a service that cannot be reached names its place, and nothing secret."""
    port = free_port()
    (problem,) = send(f"json://ann:{SECRET}@127.0.0.1:{port}/{SECRET}/?+X-Key={SECRET}")
    assert problem.startswith(f"notification 1 (json://ann:****@127.0.0.1:{port}): not sent: ")
    assert "Connection" in problem
    assert SECRET not in problem


def test_nobody_waits_for_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers is given up, named, and keeps nobody else from being told."""
    monkeypatch.setattr("tasks.notify.send.TRY_SECONDS", 5.0)
    with listening.listening(listening.silent) as silent, running_webhook() as hook:
        silent_url = f"json://127.0.0.1:{silent.port}/?rto=60"
        found = send(silent_url, f"json://127.0.0.1:{hook.port}/", silent_url)
        # A thread of the second try may be late; nobody has waited for it.
        wait_for(lambda: silent.connections >= 4)
        assert silent.connections == 4
    assert found == [
        f"notification {n} (json://127.0.0.1:{silent.port}): not sent: not done in time"
        for n in (1, 3)
    ]
    assert len(hook.posted) == 1


GIVE_UP = """
import sys
import tasks.notify.send
from tasks.notify import notify, parse_entries
from tasks.notify.message import SAMPLE
from tasks.settings import Settings

tasks.notify.send.TRY_SECONDS = 0.5
print(notify(parse_entries([sys.argv[1]], Settings()), SAMPLE, Settings()))
"""


def test_a_silent_server_keeps_no_process_from_ending() -> None:
    """The process ends although a thread of it still waits."""
    with listening.listening(listening.silent) as server:
        command = [sys.executable, "-c", GIVE_UP, f"json://127.0.0.1:{server.port}/?rto=300"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=120
        )
    assert "not done in time" in done.stdout


def test_a_template_that_breaks_later() -> None:
    """Where a template fits the sample and not the notice, the default is sent, and it is said."""
    with running_webhook() as hook:
        entry = {"to": f"json://127.0.0.1:{hook.port}/", "template": "{{ examples[0].domain }}"}
        (problem,) = send(entry, examples=())
    (posted,) = hook.posted
    assert posted["message"] == render(SAMPLE.model_copy(update={"examples": ()})).text.rstrip()
    assert "the default was taken" in problem
    assert "not sent" not in problem


def test_what_was_never_checked_raises_nothing() -> None:
    """Entries that would have been refused before the run are problems at its end."""
    entries = [Entry(to=f"slak://{SECRET}"), Entry(to="mailto:ann@example.org")]
    found = notify(entries, SAMPLE, Settings())
    assert len(found) == 2
    assert "is no target" in found[0]
    assert "ROLLCALL_SMTP_URL" in found[1]
    assert SECRET not in str(found)
