"""The services of `docker-compose.yml`, started as it says, as processes: no Docker is needed."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from prefect_rabbitmq.topology import dead_letters_name, queue_name

from demo.nameserver import NameServer
from tests.deployments.compose import ROOT, Service, file, in_order, services
from tests.deployments.running import statuses
from tests.rabbitmq.pools import consumers
from tests.services.asking import ask_api
from tests.services.postgres import Postgres, running_postgres
from tests.services.processes import Server, free_port, start, wait_until
from tests.services.rabbitmq import Broker

START_SECONDS = 180.0
WORKERS = 2


@dataclass(kw_only=True)
class Machine:
    """What Docker would be: names of hosts, folders, and the processes that were started."""

    #: What the working directory of the image holds; logs go there, too.
    app: Path
    #: The volume that the workers share.
    data: Path
    #: `host:port` in the file to where that is here.
    hosts: dict[str, str]
    server_port: int
    running: dict[str, Server] = field(default_factory=dict)

    def environment(self, service: Service, host: str) -> dict[str, str]:
        """Return what the file says, with the places of this machine, and little else."""
        ports = {"PREFECT_SERVER_API_PORT": self.server_port}
        ports |= {"PREFECT_WORKER_WEBSERVER_PORT": free_port()}
        given = dict(service.environment)
        for name, value in given.items():
            for there, here in self.hosts.items():
                given[name] = given[name].replace(there, here)
            if name in ports:
                given[name] = str(ports[name])
            elif value == "/data":
                given[name] = str(self.data)
        home = self.app / "home" / host
        home.mkdir(parents=True, exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "HOSTNAME": host, **given}

    def start(self, service: Service, number: int = 1) -> None:
        """Start one container of a service, and wait until it is what others wait for."""
        name = f"{service.name}-{number}"
        environment = self.environment(service, name)
        server = start(service.command, directory=self.app, name=name, environment=environment)
        self.running[name] = server
        if not service.check:  # it does its work and ends
            assert server.process.wait(START_SECONDS) == 0, server.tail()
            return

        def healthy() -> bool:
            done = subprocess.run(service.check, env=environment, capture_output=True, check=False)
            return done.returncode == 0

        wait_until(healthy, server=server, seconds=START_SECONDS)

    def tails(self) -> str:
        """Return the end of what all of them wrote."""
        return "\n\n".join(f"{name}:\n{server.tail()}" for name, server in self.running.items())


@pytest.fixture
def cluster() -> Iterator[Postgres]:
    """Give a PostgreSQL as the file's becomes: its own database, and what its scripts make."""
    postgres = file()["services"]["postgres"]
    scripts = [volume.split(":")[0] for volume in postgres["volumes"] if "initdb.d" in volume]
    with running_postgres() as cluster:
        statements = [f"CREATE DATABASE {postgres['environment']['POSTGRES_DB']}"]
        statements += [(ROOT / script).read_text(encoding="utf-8") for script in scripts]
        dsn = cluster.url().replace("+psycopg2", "")
        with contextlib.closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        yield cluster


@pytest.fixture
def machine(
    cluster: Postgres, rabbitmq: Broker, amqp_url: str, nameserver: NameServer, tmp_path: Path
) -> Iterator[Machine]:
    """Give a machine on which every service runs; all of it is stopped at the end."""
    port, virtual_host = free_port(), urlsplit(amqp_url).path
    hosts = {
        "@postgres:5432/": f"@127.0.0.1:{cluster.port}/",
        "@rabbitmq:5672/": f"@127.0.0.1:{rabbitmq.port}{virtual_host}",
        "//prefect-server:4200/": f"//127.0.0.1:{port}/",
    }
    machine = Machine(app=tmp_path / "app", data=tmp_path / "data", hosts=hosts, server_port=port)
    machine.data.mkdir()
    machine.app.mkdir()
    shutil.copy(ROOT / "prefect.yaml", machine.app)
    given = {
        "POSTGRES_PASSWORD": "sesame",
        "RABBITMQ_PASSWORD": rabbitmq.password,
        "ROLLCALL_NAMESERVERS": nameserver.address,
    }
    with ExitStack() as stack:
        stack.callback(lambda: [one.stop() for one in reversed(machine.running.values())])
        for service in in_order(services(given)):
            # Those that are not ours are there already.
            if service.command:
                for number in range(1, (WORKERS if service.name == "worker" else 1) + 1):
                    machine.start(service, number)
        yield machine


@pytest.mark.timeout(900)
def test_every_service_runs_as_it_is_written(
    machine: Machine, cluster: Postgres, rabbitmq: Broker, amqp_url: str
) -> None:
    """Server, deploy and two workers start in their order, and a file is checked to its end."""
    api = f"http://127.0.0.1:{machine.server_port}/api"
    expected = {f"worker-{number}" for number in range(1, WORKERS + 1)}
    last = machine.running[f"worker-{WORKERS}"]
    wait_until(lambda: online(api) == expected, server=last, seconds=START_SECONDS)
    # A worker is online before the process that does its tasks is there.
    wait_until(lambda: consumers(amqp_url, "checks") >= WORKERS, server=last, seconds=START_SECONDS)

    lost = "".join(f"lost{number}.example.net\n" for number in range(38))
    (machine.data / "names.txt").write_text(f"python.org\nmailonly.org\n{lost}")
    run_deployment(machine, api, "check-domains/on-demand", f"file={machine.data / 'names.txt'}")
    # The other deployment's schedule makes runs of its own.
    body = {"deployments": {"name": {"any_": ["on-demand"]}}}
    (run,) = ask_api("POST", f"{api}/flow_runs/filter", body)
    assert run["state"]["message"] == "40 domains. host: 1 resolves, 1 nodata, 38 nxdomain"
    (results,) = (machine.data / "results").glob("*.csv")
    assert [status for _, status in statuses(results)][:3] == ["resolves", "nodata", "nxdomain"]
    assert kept(cluster, "SELECT count(*) FROM results") == 40
    # Both have taken batches; only one of them has had the flow run.
    for name in expected:
        assert "Task run 'host " in machine.running[name].log.read_text(), machine.tails()
    waiting = rabbitmq.queues(amqp_url)
    for queue in (queue_name("checks", "default"), dead_letters_name("checks")):
        assert waiting[queue] == 0
    check_a_job(machine, api, cluster)
    check_nobody_tells(machine, rabbitmq.password)


def run_deployment(machine: Machine, api: str, *words: str) -> None:
    """Run a deployment to its end, with a parameter, as an operator types."""
    name, parameter = words
    done = subprocess.run(
        [
            *(sys.executable, "-m", "prefect", "deployment", "run", name),
            *("--watch", "--watch-timeout", "240", "--param", parameter),
        ],
        env={**os.environ, "PREFECT_API_URL": api},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + machine.tails()


def check_a_job(machine: Machine, api: str, cluster: Postgres) -> None:
    """What cron did is a command: a worker gets the job, and says what it misses."""
    run_deployment(machine, api, "emit-job/cron-frame", "payload=5")
    failed = "state = 'failed' AND payload::text = '5' AND error LIKE '%ROLLCALL_FEEDS%'"
    question = f"SELECT count(*) FROM jobs WHERE work_queue = 'cron_frame' AND {failed}"
    last = machine.running[f"worker-{WORKERS}"]
    wait_until(lambda: kept(cluster, question) == 1, server=last, seconds=START_SECONDS)


def online(api: str) -> set[str]:
    """Return the names of the workers as Prefect's UI shows them."""
    workers = ask_api("POST", f"{api}/work_pools/checks/workers/filter", {})
    return {worker["name"] for worker in workers if worker["status"] == "ONLINE"}


def kept(cluster: Postgres, question: str) -> int:
    """Ask Rollcall's database for a number."""
    dsn = cluster.url("rollcall").replace("+psycopg2", "")
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        (number,) = cursor.fetchone() or (0,)
        return int(number)


def check_nobody_tells(machine: Machine, password: str) -> None:
    """No log holds a password, and none a traceback."""
    for name, server in machine.running.items():
        text = server.log.read_text(errors="replace")
        assert not re.search(f"sesame|{password}", text), name
        assert "Traceback" not in text, text
