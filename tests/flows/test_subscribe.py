"""`subscribe` on a real Prefect server: who is told, in one line."""

from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.subscribe import subscribe
from tests.services.prefect import PrefectServer


def test_from_subscribing_to_leaving(flow_server: PrefectServer, home: Path) -> None:
    """Each action says what is so now; what cannot be done is refused, and says why."""

    def ask(**parameters: Any) -> tuple[str, str]:
        state = cast("State[Any]", subscribe(**parameters, return_state=True))
        return state.name or "", state.message or ""

    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        name, said = ask(address=" Ann@Example.ORG ", what=["jobs", "runs"])
        assert name == "Completed"
        assert said.startswith("Ann@example.org is told of what ends from now on: runs, jobs")
        assert "ROLLCALL_SMTP_URL is not set here" in said
        assert ask(address="Ann@example.org")[1].startswith("Ann@example.org is told: changes, ")
        listed = "1 subscribers\nAnn@example.org: changes, jobs, runs"
        assert ask(action="list") == ("Completed", listed)
        name, said = ask(address="nobody")
        assert (name, said) == ("Refused", "address: nobody is no e-mail address")
        left = ask(address="Ann@EXAMPLE.org", action="unsubscribe")
        assert left == ("Completed", "Ann@example.org is told nothing more")
        name, said = ask(address="Ann@example.org", action="unsubscribe")
        assert name == "Refused"
        assert "is no subscriber" in said


@pytest.mark.parametrize("wrong", [{"what": ["all"]}, {"action": "leave"}])
def test_a_wrong_word_is_refused(flow_server: PrefectServer, wrong: dict[str, Any]) -> None:
    """Prefect looks at the words before the flow begins, as its run form does."""
    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        state = cast("State[Any]", subscribe(address="ann@example.org", **wrong, return_state=True))
    assert state.is_failed()
    assert "validation" in (state.message or "").lower()
