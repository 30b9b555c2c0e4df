"""Prefect's notification blocks, from a real server."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock, MattermostWebhook
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.types import SecretDict

from tasks.notify import notify, parse_entries
from tasks.notify.message import SAMPLE, render
from tasks.settings import Settings
from tests.services.prefect import PrefectServer
from tests.services.processes import free_port
from tests.services.webhook import running_webhook

SECRET = "T0pSecretT0ken"


@pytest.fixture(autouse=True)
def server(flow_server: PrefectServer) -> Iterator[PrefectServer]:
    """Let blocks be saved to and loaded from a server."""
    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        yield flow_server


def send(name: str) -> list[str]:
    """Send the sample to a block."""
    return notify(parse_entries([f"block:{name}"], Settings()), SAMPLE, Settings())


def save_hook(name: str, port: int) -> None:
    """Save a block with a secret in its URL."""
    kind: Any = CustomWebhookNotificationBlock
    block = kind(
        name="hook",
        url=f"http://127.0.0.1:{port}/{{{{token}}}}",
        json_data={"title": "{{subject}}", "text": "{{body}}"},
        secrets=SecretDict({"token": SECRET}),
    )
    block.save(name, overwrite=True)


def test_a_block_is_told() -> None:
    """A block that was saved under a name sends subject and text, also from within a flow."""
    with running_webhook() as hook:
        save_hook("told", hook.port)
        assert send("custom-webhook/told") == []
        assert flow(send)("custom-webhook/told") == []
    message = render(SAMPLE)
    assert hook.posted == [{"title": message.subject, "text": message.text}] * 2


def test_a_block_that_fails_shows_no_secret() -> None:
    """What a service answers is said, without the token of its URL; it is tried once more."""
    with running_webhook(404, 404) as hook:
        save_hook("failing", hook.port)
        (problem,) = send("custom-webhook/failing")
    assert problem.startswith("notification 1 (block:custom-webhook/failing): not sent: ")
    assert "404" in problem
    assert SECRET not in problem
    assert len(hook.posted) == 2


def test_a_block_of_apprises_that_fails_is_said() -> None:
    """Prefect's blocks over Apprise fail silently if nobody asks them not to."""
    kind: Any = MattermostWebhook
    block = kind(hostname="127.0.0.1", token=SECRET, port=free_port(), secure=False)
    block.save("silent", overwrite=True)
    (problem,) = send("mattermost-webhook/silent")
    assert "NotificationError" in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("slack-webhook/nobody-made-it", "Unable to find block document"),
        ("secret/token", "a Secret is no notification block"),
    ],
)
def test_what_is_no_such_block(name: str, why: str) -> None:
    """A block that is not there, or that notifies nobody, is a problem that says so."""
    kind: Any = Secret
    block = kind(value=SECRET)
    block.save("token", overwrite=True)
    (problem,) = send(name)
    assert why in problem
    assert SECRET not in problem
