"""
A DNS path that loses answers: a UDP proxy before a name server, as a process of its own.

Only UDP: a client that is told to come back over TCP finds nobody.
"""

import argparse
import asyncio
import contextlib
import os
import random
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.services.processes import free_port, running, wait_until

__all__ = ["running_lossy_proxy"]

START_SECONDS = 30.0
#: The repository, from where `-m tests.services.lossy` is found.
ROOT = Path(__file__).parents[2]
READY = "ready"
#: What the kernel holds for us: with its default, a burst of a thousand queries is too much.
RECEIVE_BYTES = 4 * 1024 * 1024
Address = tuple[str, int]


@contextlib.contextmanager
def running_lossy_proxy(
    directory: Path, *, upstream: str, loss: float, seed: int = 0
) -> Iterator[str]:
    """
    Forward queries to a name server, lose some of its answers, and give the address as `ip:port`.

    Args:
        directory: For its output.
        upstream: The name server, as `ip:port`.
        loss: Which share of the answers is lost, 0 to 1.
        seed: Decides which: the n-th answer of every run with the same seed has the same fate.
    """
    port = free_port()
    command = [sys.executable, "-m", "tests.services.lossy", str(port), upstream]
    command += [str(loss), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(command, directory=directory, name="lossy", environment=environment) as server:
        wait_until(lambda: READY in server.tail(), server=server, seconds=START_SECONDS)
        yield f"127.0.0.1:{port}"


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, receive: Callable[[bytes, Address], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._receive(data, addr)


class _Proxy:
    """
    Two sockets: one for all clients, one for the name server.

    Clients may use the same message id at the same time, so each query goes on with an id of ours.
    """

    def __init__(self, *, loss: float, seed: int) -> None:
        self._loss = loss
        self._random = random.Random(seed)
        self._next_id = 0
        #: Our id to whose query it is and its own id.
        self._waiting: dict[int, tuple[Address, bytes]] = {}

    async def run(self, *, port: int, upstream: Address) -> None:
        """Forward until the process ends."""
        here = await _open(self._query, local=("127.0.0.1", port))
        there = await _open(self._answer, remote=upstream)
        self._to_client, self._to_upstream = here.sendto, there.sendto
        print(READY, flush=True)
        await asyncio.Event().wait()

    def _query(self, data: bytes, addr: Address) -> None:
        ours = self._next_id = (self._next_id + 1) % 65536
        self._waiting[ours] = (addr, data[:2])
        self._to_upstream(ours.to_bytes(2) + data[2:])

    def _answer(self, data: bytes, _: Address) -> None:
        waiting = self._waiting.pop(int.from_bytes(data[:2]), None)
        # The root comes first in its question: asked whether a server is there at all, and by no
        # second pass for which a loss would be made good.
        is_opening = data[12:13] == b"\0"
        if waiting and (is_opening or self._random.random() >= self._loss):
            addr, theirs = waiting
            self._to_client(theirs + data[2:], addr)


async def _open(
    receive: Callable[[bytes, Address], None],
    *,
    local: Address | None = None,
    remote: Address | None = None,
) -> asyncio.DatagramTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        partial(_Receiver, receive), local_addr=local, remote_addr=remote
    )
    opened: socket.socket = transport.get_extra_info("socket")
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    return transport


def main() -> None:
    """Run the proxy: port, upstream, loss, seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("upstream")
    parser.add_argument("loss", type=float)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    host, _, port = given.upstream.rpartition(":")
    proxy = _Proxy(loss=given.loss, seed=given.seed)
    asyncio.run(proxy.run(port=given.port, upstream=(host, int(port))))


if __name__ == "__main__":
    main()
