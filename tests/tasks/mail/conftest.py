"""Every test of the outbox runs on both databases, with an SMTP server of its own."""

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import Engine

from database.subscribers import add_subscriber
from tests.services.mailbox import Mailbox, running_smtp
from tests.tasks.mail.world import ANN, Emit, emit


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """Give a mailbox."""
    with running_smtp() as opened:
        yield opened


@pytest.fixture
def events(url: str, box: Mailbox) -> Emit:
    """Give the command, with that mailbox's server."""
    return partial(emit, url, f"smtp://127.0.0.1:{box.port}")


@pytest.fixture
def ann(engine: Engine) -> str:
    """Give somebody who subscribes to everything."""
    add_subscriber(engine, ANN, ["changes", "runs", "jobs"])
    return ANN
