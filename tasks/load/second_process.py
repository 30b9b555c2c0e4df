"""
Deduplication in a process of its own, so that a large file keeps two cores busy.

While the first process finds names, the second partitions them; while the sink of the first one
inserts rows, the second sorts the next ones. For 10 million lines this takes a third off the time
(`benchmarks/load.py`).

Frames of `marshal` with their length go over pipes. In: names with their lines, then None. Out:
lists of rows, then None; or a text, which is the message of a `TemporaryDirectoryFull`.
"""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any, Final

from tasks.load.errors import TemporaryDirectoryFull
from tasks.load.partitions import Partitions, Row

LENGTH_BYTES: Final = 8
_COMMAND: Final = "from tasks.load.second_process import serve; serve()"


class SecondProcessDied(RuntimeError):
    """Raised when the second process ends before its work is done: somebody killed it."""


class RemotePartitions:
    """`Partitions` in a second process."""

    def __init__(self, directory: Path | None = None) -> None:
        """Start the process; `directory` is for its temporary file."""
        # Not a fork: the first process may have threads. The module is found as it was found here.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", _COMMAND, str(directory.absolute()) if directory else ""]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def add(self, names: Sequence[bytes], lines: Iterable[int]) -> None:
        """Take names in the order in which they were seen, as `Partitions.add`."""
        text = b"\n".join(names)
        if isinstance(lines, range):
            self._send((text, (lines.start, lines.stop)))
        else:
            self._send((text, array("Q", lines).tobytes()))

    def rows(self) -> Iterator[list[Row]]:
        """Give back the unique names, as `Partitions.rows`."""
        self._send(None)
        while (answer := self._receive()) is not None:
            if isinstance(answer, str):
                raise TemporaryDirectoryFull(answer)
            yield answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                pipe.close() if pipe else None
        self._process.wait()

    def _send(self, frame: Any) -> None:
        try:
            _write(_opened(self._process.stdin), frame)
        except BrokenPipeError:
            answer = self._receive()  # It says why it went.
            raise TemporaryDirectoryFull(str(answer)) from None

    def _receive(self) -> Any:
        try:
            return _read(_opened(self._process.stdout))
        except EOFError:
            code = self._process.wait()
            raise SecondProcessDied(f"the second process ended with {code}") from None


def serve() -> None:
    """Be the second process."""
    # Ctrl-C reaches every process of a terminal; the first one decides, and closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    directory = Path(sys.argv[1]) if sys.argv[1] else None
    try:
        with closing(Partitions(directory)) as partitions:
            while (frame := _read(incoming)) is not None:
                text, numbers = frame
                is_range = isinstance(numbers, tuple)
                lines = range(*numbers) if is_range else array("Q", numbers)
                partitions.add(text.split(b"\n"), lines)
            for rows in partitions.rows():
                _write(outgoing, rows)
            _write(outgoing, None)
    except TemporaryDirectoryFull as full:
        incoming.close()  # Whoever still writes learns of it.
        _write(outgoing, str(full))
    except (EOFError, BrokenPipeError):
        os._exit(1)  # The first process is gone: nobody is left to tell.


def _write(pipe: IO[bytes], frame: Any) -> None:
    data = marshal.dumps(frame)
    pipe.write(len(data).to_bytes(LENGTH_BYTES, "little"))
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> Any:
    length = int.from_bytes(_exactly(pipe, LENGTH_BYTES), "little")
    return marshal.loads(_exactly(pipe, length))  # noqa: S302 - our own process wrote it


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise SecondProcessDied("the second process has no pipes")
    return pipe
