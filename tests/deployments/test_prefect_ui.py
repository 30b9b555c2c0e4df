"""What a person does in Prefect's own UI: fill the run form, follow the run, retry it."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.nameserver import NameServer
from flows.check_domains import check_domains
from tests.deployments.conftest import Deployed
from tests.deployments.dag import DAG, assert_stored
from tests.deployments.deploying import flow_runs
from tests.flows.inspection import artifacts
from tests.services.browser import screenshot
from tests.services.prefect import PrefectServer

#: Milliseconds for a page, or a worker, to do its part.
PATIENCE = 180_000
#: What a parameter's field has one of.
CONTROLS = "textarea, input[type=number], .p-select-button__control, button:has-text('Add item')"
#: One of each kind; the last line is no name, and tries to be markup.
PASTED = """\
python.org
mailonly.org
hiccup.org
<b>here</b>|[click](https://python.org)
"""
MESSAGE = "3 domains. host: 2 resolves, 1 nodata; missing: 1 nodata, 2 skipped"
#: Of task runs.
NAMES = (
    *("load pasted names", "host python.org", "host hiccup.org again"),
    *("missing mailonly.org", "report"),
)


def field(page: Page, name: str) -> Locator:
    """Return the field of the run form that a parameter has."""
    header = page.locator(".p-label__header", has_text=re.compile(rf"^\s*{name} "))
    return page.locator(".p-label").filter(has=header)


def check_form(page: Page) -> None:
    """Every parameter is a field for text, a number, a choice or a list, with its description."""
    for name, about in check_domains.parameters.model_dump()["properties"].items():
        description = field(page, name).locator(".p-label__description")
        # The form renders it as Markdown.
        expect(description).to_have_text(re.sub("`", "", " ".join(about["description"].split())))
        control = field(page, name).locator(CONTROLS)
        expect(control.first).to_be_visible()


def fill_in(page: Page, checks: list[Any]) -> None:
    """Write checks into the form, each as JSON; the first one is there."""
    for number, check in enumerate(checks):
        if number:
            field(page, "checks").get_by_role("button", name="Add item").click()
        field(page, "checks").locator("textarea").nth(number).fill(json.dumps(check))


def done(deployed: Deployed, times: int) -> Callable[[], dict[str, Any] | None]:
    """Return a function that returns the one flow run when it has completed so many times."""

    def look() -> dict[str, Any] | None:
        (run,) = flow_runs(deployed.server, deployed.deployment_id)
        assert run["state"]["type"] not in {"FAILED", "CRASHED"}, deployed.worker.tail()
        completed = run["state"]["type"] == "COMPLETED" and run["run_count"] == times
        return run if completed else None

    return look


def wait(look: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    """Wait until there is something to see."""
    deadline = time.monotonic() + PATIENCE / 1000
    while (found := look()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def asked(nameserver: NameServer) -> Counter[str]:
    """Count the questions by name, but for those that only ask whether the server is there."""
    found: Counter[str] = Counter()
    for (name, _, _), times in nameserver.queries.items():
        found[name] += times
    del found["."]
    return found


@pytest.mark.timeout(900)
def test_a_run_from_the_form_to_its_retry(
    deployed: Deployed, home: Path, nameserver: NameServer, page: Page, tmp_path: Path
) -> None:
    """Pasted names are checked, shown and reported; Retry runs again and asks for no domain."""
    ui = deployed.server.ui_url
    page.goto(f"{ui}/deployments/deployment/{deployed.deployment_id}/run")
    expect(field(page, "domains")).to_be_visible(timeout=PATIENCE)
    check_form(page)
    field(page, "domains").locator("textarea").fill(PASTED)
    fill_in(page, DAG)
    screenshot(page, tmp_path / "form.png")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("button", name="Submit")).to_have_count(0, timeout=PATIENCE)

    run = wait(done(deployed, 1))
    assert run["state"]["message"] == MESSAGE
    assert_stored(home)
    page.goto(f"{ui}/runs/flow-run/{run['id']}")
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=PATIENCE)
    page.get_by_text("Task Runs", exact=True).click()
    for name in NAMES:
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=PATIENCE)
    screenshot(page, tmp_path / "task-runs.png")
    check_report(page, deployed.server, run["id"])
    screenshot(page, tmp_path / "report.png")

    before = asked(nameserver)
    # A question is sent again when its answer is slow.
    assert before["python.org"] >= 1
    page.goto(f"{ui}/runs/flow-run/{run['id']}")
    page.get_by_role("button", name="Retry").click(timeout=PATIENCE)
    page.locator(".p-modal").get_by_role("button", name="Retry").click()
    again = wait(done(deployed, 2))
    assert (again["id"], again["state"]["message"]) == (run["id"], run["state"]["message"])
    assert asked(nameserver) == before
    page.reload()
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible(timeout=PATIENCE)
    screenshot(page, tmp_path / "retried.png")


def check_report(page: Page, server: PrefectServer, run: str) -> None:
    """The report is rendered, and what a stranger wrote in it is text."""
    report_id = artifacts(server, UUID(run))["report"]["id"]
    page.goto(f"{server.ui_url}/artifacts/artifact/{report_id}")
    report = page.locator(".markdown-renderer").last
    expect(report.get_by_role("heading", name="Ledger")).to_be_visible(timeout=PATIENCE)
    cells = report.get_by_role("cell")
    expect(cells.filter(has_text="<b>here</b>|[click](https://python.org)")).to_have_count(1)
    expect(report.locator("b, a")).to_have_count(0)
