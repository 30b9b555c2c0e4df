"""Each private server starts, serves and goes away."""

import asyncio
import time
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import dns.query
import dns.rcode
import httpx
import psutil
import pytest
import sqlalchemy
import sqlalchemy.exc
from playwright.sync_api import Page, expect

from demo.behaviours import answers
from demo.nameserver import running_nameserver
from demo.script import Script
from tests.services.browser import screenshot
from tests.services.knot import running_knot, write_zone
from tests.services.lossy import running_lossy_proxy
from tests.services.postgres import running_postgres
from tests.services.prefect import PrefectServer, running_prefect_worker
from tests.services.processes import ServerFailed, find_program, is_alive, running, wait_until

MANY = 100_000


def status(name: str, *, port: int) -> str:
    """Ask a server for A and AAAA, and tell what the answers say of the name."""
    for kind in ("A", "AAAA"):
        answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", 5, port)
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return "nxdomain"
        if answer.answer:
            return "resolves"
    return "nodata"


def select_one(url: str) -> int:
    """Ask a database for the number one."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return int(connection.execute(sqlalchemy.text("select 1")).scalar_one())


def test_a_missing_program_names_its_package() -> None:
    """What is not installed is an error that says how to install it."""
    with pytest.raises(ServerFailed, match="apt-get install knot-of-nobody"):
        find_program("no-such-knotd", package="knot-of-nobody")


def test_a_server_that_ends_shows_its_output(tmp_path: Path) -> None:
    """A server that ends at once is reported with its exit code and its last words."""
    command = ["sh", "-c", "echo no such luck; exit 3"]
    with (
        running(command, directory=tmp_path, name="brief") as server,
        pytest.raises(ServerFailed, match=r"(?s)code 3.*no such luck"),
    ):
        wait_until(lambda: False, server=server, seconds=30)


def test_stopping_ends_the_whole_family(tmp_path: Path) -> None:
    """A child of a server does not outlive it."""
    with running(["sh", "-c", "sleep 60 & wait"], directory=tmp_path, name="parent") as server:
        family = psutil.Process(server.pid)
        wait_until(lambda: bool(family.children()), server=server, seconds=30)
        children = family.children()
        assert len(children) == 1
    assert not is_alive(family)
    deadline = time.monotonic() + 30
    while any(map(is_alive, children)):
        assert time.monotonic() < deadline


def test_knot_tells_the_truth_about_many_names(tmp_path: Path) -> None:
    """A zone of 100,000 names is served as its writer says, names above other names included."""
    names = [f"host{n}.example{n % 100}.com" for n in range(MANY)]
    names += [f"example{n}.com" for n in range(100)]
    truth: dict[str, str] = {}
    with running_knot(tmp_path, lambda path: truth.update(write_zone(path, names))) as knot:
        sample = [*names[:300], *names[MANY:], "nobody.example", "com"]
        seen = {name: status(name, port=knot.port) for name in sample}
    assert {name: truth[name] for name in names[:300] + names[MANY:]} | {
        "nobody.example": "nxdomain",
        "com": "nodata",
    } == seen


def test_knot_serves_given_lines(tmp_path: Path) -> None:
    """Lines in zone file notation are served as they are."""
    with running_knot(tmp_path, ["python.org. A 192.0.2.1"]) as knot:
        assert status("python.org", port=knot.port) == "resolves"


def test_postgres_gives_an_empty_database(postgres_url: str) -> None:
    """A test's database can be used and is its own."""
    assert select_one(postgres_url) == 1


def test_postgres_survives_stop_and_kill() -> None:
    """What is committed is still there after a stop and after a kill."""
    with running_postgres() as cluster, cluster.database() as url:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("create table kept as select 7 as n"))
        for end in (cluster.stop, cluster.kill):
            end()
            assert cluster.pid is None
            with pytest.raises(sqlalchemy.exc.OperationalError):
                select_one(url)
            cluster.start()
            with engine.connect() as connection:
                assert connection.execute(sqlalchemy.text("select n from kept")).scalar() == 7


def test_prefect_serves_a_worker(prefect_server: PrefectServer, tmp_path: Path) -> None:
    """A worker goes online, and its process ends with the block."""
    with running_prefect_worker(prefect_server, tmp_path, pool="processes") as worker:
        process = psutil.Process(worker.pid)
        assert is_alive(process)
    assert not is_alive(process)


def test_the_browser_shows_prefects_pages(
    prefect_server: PrefectServer, page: Page, tmp_path: Path
) -> None:
    """Prefect's UI is served and renders."""
    pool = {"name": "seen-in-the-browser", "type": "process"}
    httpx.post(f"{prefect_server.api_url}/work_pools/", json=pool, timeout=60).raise_for_status()
    page.goto(f"{prefect_server.ui_url}/work-pools")
    expect(page.get_by_text(pool["name"]).first).to_be_visible(timeout=30_000)
    picture = screenshot(page, tmp_path / "work-pools.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


async def ask_often(address: str, *, times: int, seconds: float) -> int:
    """Ask a server so many times, and count the answers that came within some seconds each."""
    host, _, port = address.rpartition(":")
    # More than are lost of any test here, or the next ones would wait for the end of those.
    limit = asyncio.Semaphore(120)

    async def ask(number: int) -> bool:
        query = dns.message.make_query(f"n{number}.org", "A")
        async with limit:
            try:
                await dns.asyncquery.udp(query, host, timeout=seconds, port=int(port))
            except dns.exception.Timeout:
                return False
        return True

    return sum(await asyncio.gather(*[ask(number) for number in range(times)]))


def test_the_lossy_proxy_loses_its_share(tmp_path: Path) -> None:
    """Of many answers about the share asked for is lost, and what arrives fits its query."""
    script = Script({"*": answers(A="192.0.2.1")})
    with (
        running_nameserver(script) as server,
        running_lossy_proxy(tmp_path, upstream=server.address, loss=0.1, seed=1) as address,
    ):
        arrived = asyncio.run(ask_often(address, times=1000, seconds=5))
        assert server.queries.total() == 1000
    assert 850 <= arrived <= 950


def test_the_lossy_proxy_can_lose_nothing(tmp_path: Path) -> None:
    """Without loss every answer arrives."""
    script = Script({"*": answers(A="192.0.2.1")})
    with (
        running_nameserver(script) as server,
        running_lossy_proxy(tmp_path, upstream=server.address, loss=0) as address,
    ):
        assert asyncio.run(ask_often(address, times=200, seconds=30)) == 200
