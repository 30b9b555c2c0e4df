"""Batches of `http` leave nothing behind, and hold no more than is wanted of any page."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands.loop import submit
from demo.behaviours import answers
from demo.script import Script
from tests.commands.checking import run_batch
from tests.commands.sites import SITES, answer
from tests.commands.stage import running_stage
from tests.commands.test_leaks import in_use, settles
from tests.services.web import page, running_listener, running_web

ROOT = Path(__file__).parents[2]
SCRIPT = Script({"*": answers(A="127.0.0.1")})
MEGABYTE = 1 << 20


async def says_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing as long as somebody is there."""
    await reader.read()


def test_batches_leave_no_file_open() -> None:
    """However requests end, and wherever they are stopped, their connections are closed."""
    # Its server does not notice that the client is gone, and would keep its own end.
    names = [name for name in SITES if name != "silent.org"]
    with (
        running_web(answer) as web,
        running_listener(says_nothing) as mute,
        running_stage(SCRIPT, scheme="http", http_port=web.port) as stage,
    ):
        stage.check(*names, timeout_seconds=0.3)
        before = in_use()
        for _ in range(3):
            stage.check(*names, timeout_seconds=0.3)
            # Amid the handshake.
            options = {"scheme": "https", "https_port": mute.port}
            assert stage.check("a.org", timeout_seconds=0.1, **options).statuses == {
                "a.org": "timeout"
            }
            batch = run_batch(names, stage.environment, command="http", options=options)
            stopped = submit(batch)
            time.sleep(0.1)
            assert stopped.cancel()
        assert settles(before), (before, in_use())


MEASURE = """
import json, sys
import psutil
from commands.environment import Environment
from tests.commands.checking import check

server, port, *names = sys.argv[1:]
environment = Environment(nameservers=(server,), allow_private_addresses=True)
options = {"scheme": "http", "http_port": int(port), "max_body_bytes": 1_048_576}
memory = [psutil.Process().memory_info().rss]
for turn in range(4):
    batch = [f"n{turn}-{n}.{name}" for name in names for n in range(5)]
    statuses = check(batch, environment, command="http", options=options).statuses
    memory.append(psutil.Process().memory_info().rss)
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
print(json.dumps({"memory": memory, "peak": peak, "statuses": sorted(set(statuses.values()))}))
"""


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Give a page of 300 megabytes in one."""
    return gzip.compress(b"<title>Bomb</title>" + bytes(300 * MEGABYTE), 1)[:MEGABYTE]


def test_no_page_fills_the_memory(bomb: bytes) -> None:
    """Endless pages and bombs, five of each at once, take no more than some megabytes, for good."""

    async def answered(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b".bomb.org" in head:
            writer.write(page(200, bomb, Content_Encoding="gzip"))
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(bytes(MEGABYTE))
            await writer.drain()

    with running_web(answered) as web, running_stage(SCRIPT) as stage:
        arguments = [stage.nameserver.address, str(web.port), "bomb.org", "endless.org"]
        printed = subprocess.run(
            [sys.executable, "-c", MEASURE, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
    found = json.loads(printed)
    assert found["statuses"] == ["ok"]
    # Ten pages of a megabyte, twice while they are put together; each bomb would be 300.
    assert found["peak"] - found["memory"][0] < 120 * MEGABYTE, found
    assert found["memory"][-1] - found["memory"][2] < 20 * MEGABYTE, found
