"""What name servers say before and after the world has changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from demo.behaviours import Behaviour, answers, nxdomain
from demo.nameserver import running_nameserver
from demo.script import Script

__all__ = ["AFTER", "BEFORE", "world"]

HERE, THERE = answers(A="192.0.2.1"), answers(A="192.0.2.2")
BEFORE = {"same.org": HERE, "moved.org": HERE, "lost.org": HERE, "found.org": nxdomain()}
AFTER = {"same.org": HERE, "moved.org": THERE, "lost.org": nxdomain(), "found.org": HERE}


@contextmanager
def world(names: Mapping[str, Behaviour], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer so while inside."""
    with running_nameserver(Script(names)) as server:
        monkeypatch.setenv("ROLLCALL_NAMESERVERS", server.address)
        yield
