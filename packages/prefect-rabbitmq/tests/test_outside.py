"""Programs that are not Python, as the README shows them: what they publish is run, and shown."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pika
import pytest
from prefect_rabbitmq import topology
from prefect_rabbitmq.messages import task_run_id

from tests.examples.readme import Readme
from tests.rabbitmq.pools import ROOT, Pool, running_pool
from tests.services.prefect import PrefectServer
from tests.services.processes import find_program

README = Readme(ROOT / "packages" / "prefect-rabbitmq" / "README.md")
[AMQP_PUBLISH] = README.commands("From the shell")
[PHP] = README.commands("From PHP")
#: The longest wait, on a busy machine.
PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def pool(
    flow_server: PrefectServer, rabbitmq_vhost: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pool]:
    """Give the README's pool, with a worker for its tasks, and its PHP script in a folder."""
    find_program("amqp-publish", package="amqp-tools")
    find_program("php", package="php-cli")
    directory = tmp_path_factory.mktemp("outside")
    (directory / "my_tasks.py").write_text(README.code("Try it"))
    (directory / "publish_job.php").write_text(README.code("From PHP", "php"))
    with running_pool(
        flow_server, rabbitmq_vhost, directory, name="my-pool", modules=["my_tasks"]
    ) as opened:
        yield opened


def run(pool: Pool, command: str, url: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does."""
    return subprocess.run(
        ["bash", "-euc", command],
        cwd=pool.directory,
        env={"PATH": os.environ["PATH"], "PREFECT_RABBITMQ_URL": url or pool.url},
        capture_output=True,
        text=True,
        check=False,
    )


def done(pool: Pool) -> set[str]:
    """Return the ids of the task runs of `double` that have completed without any flow."""
    chosen = {"name": {"any_": ["double"]}, "state": {"name": {"any_": ["Completed"]}}}
    url = f"{pool.server.api_url}/task_runs/filter"
    found = httpx.post(url, json={"task_runs": chosen}, timeout=60).raise_for_status().json()
    return {run["id"] for run in found if run["flow_run_id"] is None}


def wait(look: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def messages(pool: Pool) -> int:
    """Count what waits in the virtual host, be it a dead letter."""
    with pika.BlockingConnection(pika.URLParameters(pool.url)) as connection:
        channel = connection.channel()
        names = (topology.queue_name("my-pool", "default"), topology.dead_letters_name("my-pool"))
        return sum(channel.queue_declare(name, passive=True).method.message_count for name in names)


def test_from_the_shell(pool: Pool) -> None:
    """What amqp-publish sends is a task run that completes."""
    before = done(pool)
    said = run(pool, AMQP_PUBLISH)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    wait(lambda: len(done(pool) - before) == 1)


def test_the_password_may_be_in_a_file(pool: Pool) -> None:
    """The other options of the README do the same."""
    broker = pika.URLParameters(pool.url)
    login = broker.credentials
    file = pool.directory / "login"
    file.write_text(f"username:{login.username}\npassword:{login.password}\n")
    options = f"--server={broker.host}:{broker.port} --vhost={broker.virtual_host}"
    before = done(pool)
    shown = '--url="$PREFECT_RABBITMQ_URL"'
    said = run(pool, AMQP_PUBLISH.replace(shown, f"{options} --authfile=login"))
    assert said.returncode == 0, said.stderr
    wait(lambda: len(done(pool) - before) == 1)


def test_amqp_publish_loses_what_has_no_queue(pool: Pool) -> None:
    """It is told nothing of it, and so tells nothing; only a missing exchange is an error."""
    said = run(pool, AMQP_PUBLISH.replace("=default", "=nowhere"))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    assert messages(pool) == 0
    said = run(pool, AMQP_PUBLISH.replace("=my-pool", "=no-pool"))
    assert said.returncode == 1
    assert "no exchange 'no-pool'" in said.stderr


def test_amqp_publish_takes_a_last_slash_for_a_virtual_host(pool: Pool) -> None:
    """What is the default virtual host to everybody else has no name to it."""
    said = run(pool, AMQP_PUBLISH, url=pool.url.rpartition("/")[0] + "/")
    assert said.returncode == 1
    assert "vhost  not found" in said.stderr


def test_from_php(pool: Pool) -> None:
    """It says the message's id, which is the task run's."""
    said = run(pool, PHP)
    assert (said.returncode, said.stderr) == (0, "")
    wait(lambda: str(task_run_id(said.stdout.strip())) in done(pool))


def test_from_php_it_is_a_good_message(pool: Pool) -> None:
    """It is persistent, says that it is JSON, and has parameters even if there are none."""
    url = pika.URLParameters(pool.url)
    with pika.BlockingConnection(url) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "my-pool", routing_key="seen")
        said = run(pool, "php publish_job.php my-pool seen double '[]'")
        assert said.returncode == 0, said.stderr
        _, properties, body = channel.basic_get(queue, auto_ack=True)
    assert json.loads(body) == {"task": "double", "parameters": {}}
    assert (properties.delivery_mode, properties.content_type) == (2, "application/json")
    assert properties.message_id == said.stdout.strip()


@pytest.mark.parametrize(
    ("arguments", "url", "error"),
    [
        ("my-pool nowhere double {}", "", "pool 'my-pool' has served work queue 'nowhere' yet"),
        ("no-pool default double {}", "", "no exchange 'no-pool'"),
        ("my-pool default double {", "", "not published: Syntax error"),
        ("my-pool default double {}", "amqp://u:secret@127.0.0.1:1/", "Connection refused"),
        ("my-pool default double {}", "secret", "PREFECT_RABBITMQ_URL is not amqp://"),
    ],
    ids=["no queue", "no exchange", "no JSON", "no broker", "no URL"],
)
def test_from_php_an_error_is_one_line(pool: Pool, arguments: str, url: str, error: str) -> None:
    """It says what is wrong, and no password; the exit code is 1."""
    said = run(pool, f"php publish_job.php {arguments}", url)
    assert (said.returncode, said.stdout) == (1, "")
    assert error in said.stderr
    assert said.stderr.count("\n") == 1
    assert "secret" not in said.stderr


def test_from_php_a_full_queue_is_an_error(pool: Pool) -> None:
    """RabbitMQ refuses the message, and the script says so."""
    limit: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    with pika.BlockingConnection(pika.URLParameters(pool.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("full", exclusive=True, arguments=limit)
        channel.queue_bind("full", "my-pool", routing_key="full")
        command = "php publish_job.php my-pool full double {}"
        assert run(pool, command).returncode == 0
        said = run(pool, command)
    assert (said.returncode, said.stderr) == (1, "not published: RabbitMQ did not take it\n")


def test_from_php_it_says_how_it_is_called(pool: Pool) -> None:
    """Too few words are code 2."""
    said = run(pool, "php publish_job.php my-pool default")
    assert said.returncode == 2
    assert said.stderr.startswith("usage: php publish_job.php POOL")
