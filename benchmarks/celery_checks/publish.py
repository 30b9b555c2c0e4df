"""
Publish the names of a file, one message each, once a worker answers.

Prints when the first one was published, in seconds since the epoch.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.celery_checks.tasks import app, check

#: Seconds for a worker to answer.
START_SECONDS = 60.0


def main() -> None:
    """Publish."""
    names = Path(sys.argv[1]).read_text().split()
    deadline = time.monotonic() + START_SECONDS
    while not app.control.ping(timeout=0.5):
        assert time.monotonic() < deadline, "no Celery worker answers"
    with app.producer_or_acquire() as producer:
        began = time.time()
        for name in names:
            check.apply_async((name,), producer=producer)
    print(began)


if __name__ == "__main__":
    main()
