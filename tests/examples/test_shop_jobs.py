"""The README of examples/shop-jobs, typed by somebody who has nothing else of this repository."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.examples.readme import Readme
from tests.examples.shop import PACKAGE, ROOT, Shop, opened_shop
from tests.services.mailbox import Mailbox, running_smtp
from tests.services.prefect import PrefectServer

#: The longest wait, on a busy machine.
PATIENCE_SECONDS = 90.0
#: Of this repository.
OURS = "commands database demo deployments flows tasks tests"
SITEMAP = """\
<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>https://shop.example.com/about/us%20%26%20you.html</loc></url>
<url><loc>https://shop.example.com/index.html</loc></url>
</urlset>
"""


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    """Give a mail server that is too busy for the first mail."""
    with running_smtp(refused=["nobody@example.com"], busy=1) as box:
        yield box


@pytest.fixture(scope="module")
def shop(
    prefect_server: PrefectServer,
    rabbitmq_vhost: str,
    mailbox: Mailbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """Give the example as its README says: installed, deployed, with workers."""
    directory = tmp_path_factory.mktemp("shop")
    with opened_shop(directory, prefect_server, rabbitmq_vhost, mailbox) as opened:
        yield opened


def wait(look: Callable[[], Any]) -> Any:
    """Wait until there is something, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def ended(shop: Shop, state: str, name: str, **known: Any) -> dict[str, Any]:
    """
    Wait for a task run from outside to end so, and return it.

    Args:
        shop: The example.
        state: Its final state.
        name: The task's.
        known: Its `id`, or a `log` of it.
    """

    def is_it(run: dict[str, Any]) -> bool:
        return run["state_name"] == state and (
            run["id"] == known["id"] if "id" in known else known["log"] in shop.logs(run)
        )

    [found] = wait(lambda: list(filter(is_it, shop.task_runs(name))))
    assert found["flow_run_id"] is None
    return dict(found)


def order(shop: Shop, to: str) -> str:
    """Emit a job as the README does it from Python, for somebody else; returns its id."""
    script = shop.readme.code("Emit a job").replace("bob", to).replace("2026-18", f"2026-{to}")
    # Prefect may have told that it was still sending an event.
    return shop.python(script).split()[-1]


def test_nothing_of_ours_is_there(shop: Shop) -> None:
    """The environment has the example, prefect-rabbitmq and what that depends on."""
    find = "import importlib.util as i; print([n for n in '{}'.split() if i.find_spec(n)])"
    assert shop.python(find.format(OURS)) == "[]\n"
    path = shop.python("import prefect_rabbitmq; print(prefect_rabbitmq.__file__)")
    assert path.startswith(str(shop.directory))


def test_the_schedule_is_on_the_server(shop: Shop) -> None:
    """It has the cron of `prefect.yaml`, and is on."""
    chosen = {"name": {"any_": ["nightly-sitemap"]}}
    [deployment] = shop.api("deployments/filter", deployments=chosen)
    [schedule] = deployment["schedules"]
    assert schedule["active"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("30 3 * * *", "UTC")


def test_the_schedules_deployment_emits(shop: Shop) -> None:
    """Run at once, it has the sitemap made, by a task run that says so."""
    [command] = [line for line in shop.readme.commands("Emit a job") if "nightly" in line]
    shop.run(command)
    sitemap = shop.pages / "sitemap.xml"
    ended(shop, "Completed", "rebuild-sitemap", log=f"2 pages are in {sitemap}")
    assert sitemap.read_text() == SITEMAP


@pytest.mark.parametrize(
    ("way", "number", "to"),
    [
        ("on-demand", "2026-17", "ann"),
        ("amqp-publish", "2026-19", "cid"),
        ("php", "2026-20", "dan"),
    ],
)
def test_every_way_ends_as_a_task_run(
    shop: Shop, mailbox: Mailbox, way: str, number: str, to: str
) -> None:
    """Whoever emits a job, it is done and shown."""
    php = Readme(ROOT / PACKAGE / "README.md").code("From PHP", "php")
    (shop.directory / "publish_job.php").write_text(php)
    [command] = [line for line in shop.readme.commands("Emit a job") if way in line]
    shop.run(command)
    ended(shop, "Completed", "send-invoice", log=f"Invoice {number} went to {to}@example.com")
    [mail] = [mail for mail in mailbox.mails if mail["To"] == f"{to}@example.com"]
    assert mail["Message-ID"] == f"<invoice-{number}@shop.example.com>"


def test_a_busy_mail_server_is_tried_again(shop: Shop, mailbox: Mailbox) -> None:
    """From Python, too; the first mail was put off, so one of the task runs had two tries."""
    ended(shop, "Completed", "send-invoice", id=order(shop, "eve"))
    assert max(run["run_count"] for run in shop.task_runs("send-invoice")) == 2
    assert mailbox.tries == len(mailbox.mails) + 1


def test_a_wrong_address_is_not_tried_again(shop: Shop) -> None:
    """A recipient whom the mail server refuses ends it at the first try."""
    run = ended(shop, "Failed", "send-invoice", id=order(shop, "nobody"))
    assert run["run_count"] == 1
    assert "no such user here" in run["state"]["message"]


def test_a_bad_payload_is_a_dead_letter(shop: Shop) -> None:
    """It is not run, and the README's lines print the reason that it shows."""
    section = "What cannot be run"
    shop.run(*shop.readme.commands(section))
    said = wait(lambda: shop.python(shop.readme.code(section)))
    assert said == shop.readme.code(section, "")
