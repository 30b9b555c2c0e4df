"""
The process that searches texts for a user's patterns; `Patterns` starts it.

A pattern can take longer than the universe lasts, and Python searches without letting anybody else
run. So it happens out here, where the kernel ends it: each text has so many seconds of processor
time, however busy the machine is. It also ends with its parent, whose pipe it reads.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys

#: Bytes of memory; repeated groups cost some hundred bytes for each character.
MAX_MEMORY = 1 << 29
#: Characters of a match that are reported; enough to recognise it by.
MAX_MATCHED = 200


def main() -> None:
    """
    Answer each line with one line: the first pattern's number and what it matched, or null.

    The first line has the patterns, each other one a text, all as JSON. The argument is how many
    seconds of processor time one text may take; beyond it SIGVTALRM ends the process.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    seconds = float(sys.argv[1])
    patterns = [re.compile(pattern) for pattern in json.loads(sys.stdin.readline())]
    for line in sys.stdin:
        text = json.loads(line)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        found = _first(patterns, text)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        print(json.dumps(found), flush=True)


def _first(patterns: list[re.Pattern[str]], text: str) -> tuple[int, str] | None:
    for number, pattern in enumerate(patterns):
        if match := pattern.search(text):
            return number, match[0][:MAX_MATCHED]
    return None


if __name__ == "__main__":
    main()
