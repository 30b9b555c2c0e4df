"""
A name server that takes its time: every answer comes so many milliseconds after its question.

It answers as a zone of `tests.services.knot.write_zone` would, for names of which none is below
another one, over UDP. Waiting costs it nothing: it does some ten thousand questions a second.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.extras import ROOT
from benchmarks.names import Zone
from tests.services.knot import usual_record
from tests.services.processes import free_port, running, wait_until

#: What the kernel holds for us, in bytes; with its default, a burst is too much.
RECEIVE_BYTES = 4 << 20
START_SECONDS = 30.0
READY = "ready"
#: Type and class IN, as they stand in a question.
A, AAAA = b"\0\1\0\1", b"\0\x1c\0\1"
#: The owner is the name asked; its type; class IN, a TTL of 60 s and the address.
A_RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
AAAA_RECORD = b"\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8" + bytes(11) + b"\1"


@contextmanager
def slowly_serving(names: list[str], directory: Path, *, delay_ms: float) -> Iterator[Zone]:
    """
    Serve names as `benchmarks.names.serving` does, but late.

    Args:
        names: Each once, none below another.
        directory: Empty; for the files.
        delay_ms: From a question to its answer.
    """
    file = directory / "names.txt"
    file.write_text("".join(f"{name}\n" for name in names))
    truth = {name: _status(usual_record(name)) for name in names}
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.slow_nameserver", str(port), str(delay_ms)]
    environment = {"PYTHONPATH": str(ROOT)}
    with running(
        command, directory=directory, name="nameserver", environment=environment
    ) as server:
        wait_until(lambda: READY in server.tail(), server=server, seconds=START_SECONDS)
        yield Zone(nameserver=f"127.0.0.1:{port}", truth=truth, file=file)


def serve(port: int, delay_seconds: float) -> None:
    """Answer until the process is ended."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    opened.bind(("127.0.0.1", port))
    opened.setblocking(False)
    print(READY, flush=True)
    waiting: deque[tuple[float, bytes, tuple[str, int]]] = deque()
    while True:
        wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([opened], [], [], wait)[0]:
            data, address = opened.recvfrom(4096)
            waiting.append((time.monotonic() + delay_seconds, _answer(data), address))
        while waiting and waiting[0][0] <= time.monotonic():
            _, reply, address = waiting.popleft()
            opened.sendto(reply, address)


def _answer(query: bytes) -> bytes:
    end = query.index(b"\0", 12) + 1
    question, kind = query[12 : end + 4], query[end : end + 4]
    record = usual_record(_name(query[12:end]))
    found = b""
    if record and kind == A and record.startswith("A "):
        found = A_RECORD
    elif record and kind == AAAA and record.startswith("AAAA "):
        found = AAAA_RECORD
    # An authoritative response; NXDOMAIN is 3. One question, and one answer or none.
    code = 0 if record else 3
    counts = b"\0\1" + (b"\0\1" if found else b"\0\0") + bytes(4)
    return query[:2] + bytes([0x84 | query[2] & 1, code]) + counts + question + found


def _name(labels: bytes) -> str:
    parts, at = [], 0
    while length := labels[at]:
        parts.append(labels[at + 1 : at + 1 + length].decode().lower())
        at += length + 1
    return ".".join(parts)


def _status(record: str | None) -> str:
    if record is None:
        return "nxdomain"
    return "resolves" if record.startswith(("A ", "AAAA ")) else "nodata"


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]) / 1000)
