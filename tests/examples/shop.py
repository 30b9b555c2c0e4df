"""examples/shop-jobs as its README says, in an environment with nothing else of this repository."""

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pika
from pika.exceptions import ChannelClosedByBroker
from prefect_rabbitmq import topology

from tests.examples.installation import make_environment, run
from tests.examples.readme import Readme
from tests.rabbitmq.pools import SOON
from tests.services.mailbox import Mailbox
from tests.services.prefect import SETTINGS, PrefectServer
from tests.services.processes import running, wait_until

__all__ = ["Shop", "opened_shop"]

ROOT = Path(__file__).parents[2]
PACKAGE, EXAMPLE = "packages/prefect-rabbitmq", "examples/shop-jobs"
#: No index, and so nothing to build with but what is there (0 is pip's yes).
PIP = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
#: Seconds for a worker, or a job.
READY_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The example, with two workers."""

    readme: Readme
    directory: Path
    #: Those of the sitemap.
    pages: Path
    environment: Mapping[str, str]
    server: PrefectServer
    url: str

    def script(self, *commands: str) -> str:
        """Return a script that runs commands of the README after its settings."""
        return "\n".join([". .venv/bin/activate", *self.readme.commands("Settings"), *commands])

    def run(self, *commands: str) -> str:
        """Run commands of the README, and return what they said."""
        return run(self.script(*commands), self.directory, self.environment)

    def python(self, script: str) -> str:
        """Run Python in its environment."""
        return self.run(f"python -c {shlex.quote(script)}")

    def api(self, path: str, **body: Any) -> Any:
        """Ask Prefect's server."""
        answer = httpx.post(f"{self.server.api_url}/{path}", json=body, timeout=60)
        return answer.raise_for_status().json()

    def task_runs(self, name: str) -> list[dict[str, Any]]:
        """Return the task runs with a name."""
        found: list[dict[str, Any]] = self.api(
            "task_runs/filter", task_runs={"name": {"any_": [name]}}
        )
        return found

    def logs(self, task_run: Mapping[str, Any]) -> list[str]:
        """Return what a task run has logged."""
        chosen = {"task_run_id": {"any_": [task_run["id"]]}}
        return [log["message"] for log in self.api("logs/filter", logs=chosen)]

    def takers(self, work_queue: str) -> int:
        """Count the workers that listen."""
        queue = topology.queue_name("shop", work_queue)
        with contextlib.closing(pika.BlockingConnection(pika.URLParameters(self.url))) as opened:
            try:
                declared = opened.channel().queue_declare(queue, passive=True)
            except ChannelClosedByBroker:
                return 0
            count: int = declared.method.consumer_count
            return count


@contextlib.contextmanager
def opened_shop(
    directory: Path, server: PrefectServer, url: str, mailbox: Mailbox
) -> Iterator[Shop]:
    """
    Install the example, deploy it and run its workers.

    Args:
        directory: An empty one.
        server: Prefect's.
        url: Of RabbitMQ, with the virtual host.
        mailbox: Where its mails go.
    """
    for part in (PACKAGE, EXAMPLE):
        shutil.copytree(ROOT / part, directory / part)
    pages = directory / "pages"
    (pages / "about").mkdir(parents=True)
    for page in ("index.html", "about/us & you.html"):
        (pages / page).touch()
    replaced = {
        "http://127.0.0.1:4200/api": server.api_url,
        "amqp://guest:guest@127.0.0.1:5672": url,
        "localhost:25": f"127.0.0.1:{mailbox.port}",
        "/var/www/shop": str(pages),
    }
    private = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(directory)}
    shop = Shop(
        readme=Readme(ROOT / EXAMPLE / "README.md", replaced),
        directory=directory / EXAMPLE,
        pages=pages,
        environment=private | PIP | SETTINGS | SOON,
        server=server,
        url=url,
    )
    make_environment(shop.directory / ".venv", "prefect-rabbitmq")
    making, *installing = shop.readme.commands("Install")
    assert making == "python3 -m venv .venv"
    run("\n".join(installing), shop.directory, shop.environment)
    shop.run(*shop.readme.commands("Deploy"))
    with ExitStack() as stack:
        stack.callback(_remove, shop)
        for number, command in enumerate(shop.readme.commands("Listen")):
            stack.enter_context(_listening(shop, f"listener-{number}", command))
        yield shop


@contextlib.contextmanager
def _listening(shop: Shop, name: str, command: str) -> Iterator[None]:
    """Run a worker until it listens to each of its work queues."""
    words = ["bash", "-euc", shop.script(f"exec {command}")]
    work_queues = re.findall(r"--work-queue (\S+)", command)
    with running(
        words, directory=shop.directory, name=name, environment=shop.environment
    ) as worker:
        wait_until(
            lambda: all(shop.takers(queue) for queue in work_queues),
            server=worker,
            seconds=READY_SECONDS,
        )
        yield


def _remove(shop: Shop) -> None:
    """Take from the server what would go on by schedule."""
    for deployment in shop.api("deployments/filter", work_pools={"name": {"any_": ["shop"]}}):
        url = f"{shop.server.api_url}/deployments/{deployment['id']}"
        httpx.delete(url, timeout=60).raise_for_status()
    httpx.delete(f"{shop.server.api_url}/work_pools/shop", timeout=60).raise_for_status()
