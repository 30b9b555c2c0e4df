"""Searching for a user's patterns: in a process beside ours, since they may never end."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

from commands.programs.process import start_error

#: Of processor time, for all patterns and one text. An honest pattern takes milliseconds.
SEARCH_SECONDS: Final = 1.0
#: What is run.
MATCHER: Final = Path(__file__).with_name("matcher.py")


class PatternTooSlow(Exception):
    """A search took more processor time than it may."""


class MatcherLost(Exception):
    """The process that searches ended without a word."""


class Patterns:
    """
    Patterns to search texts for, one text after the other.

    The process is started by the first text, and anew after one that it did not survive.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        """Take patterns that `checked` has returned."""
        self._patterns = list(patterns)
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def search(self, text: str) -> tuple[int, str] | None:
        """
        Return the number of the first pattern that matches anywhere, and what it matched.

        Raises:
            PatternTooSlow: They took more than `SEARCH_SECONDS`.
            MatcherLost: The process died, of memory or by somebody's hand.
            MachineFull: There is no room for the process.
            CannotStart: It cannot be run at all.
        """
        if not self._patterns:
            return None
        async with self._turn:
            try:
                return await self._asked(text)
            except BaseException:
                # It may have an answer under way, which the next text must not get.
                await self.close()
                raise

    async def close(self) -> None:
        """End the process; again is nothing."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _asked(self, text: str) -> tuple[int, str] | None:
        lines: list[str | list[str]] = [text]
        if self._process is None:
            self._process = await self._started()
            lines = [self._patterns, text]
        process = self._process
        # What cannot be written any more shows in what is read.
        with suppress(ConnectionError):
            await _write(process, lines)
        line = await cast(StreamReader, process.stdout).readline()
        if not line:
            raise _reason(await process.wait())
        found = json.loads(line)
        return (found[0], found[1]) if found else None

    async def _started(self) -> Process:
        run = (sys.executable, "-I", "-S", "-W", "ignore", str(MATCHER), str(SEARCH_SECONDS))
        try:
            return await asyncio.create_subprocess_exec(
                *run, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}
            )
        except OSError as error:
            raise start_error(error, "the search for the patterns") from error


async def _write(process: Process, lines: Sequence[str | list[str]]) -> None:
    pipe = cast(StreamWriter, process.stdin)
    pipe.write("".join(f"{json.dumps(line)}\n" for line in lines).encode())
    await pipe.drain()


def _reason(exit_code: int) -> Exception:
    if exit_code == -signal.SIGVTALRM:
        return PatternTooSlow(f"the patterns took more than {SEARCH_SECONDS} s for this output")
    return MatcherLost(f"the search for the patterns ended with code {exit_code}")


def checked(pattern: str) -> str:
    """
    Return a pattern that can be searched for.

    Raises:
        ValueError: It is no regular expression, and why.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern
