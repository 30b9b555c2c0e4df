"""Names to check, and a name server that knows the truth of each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import TLDS
from tests.services.knot import running_knot, write_zone

LETTERS = "abcdefghijklmnoprstuvwz"
#: As in the zone that `write_zone` writes: how long its records and its denials may be kept.
LIFETIMES = (("$TTL 60\n", "$TTL {ttl}\n"), (" 86400 60\n", " 86400 {ttl}\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A name server at work, and what is true of the names that it was made for."""

    #: `ip:port`.
    nameserver: str
    #: Name -> `resolves`, `nodata` or `nxdomain`.
    truth: dict[str, str]
    #: The names, one a line.
    file: Path


def generate(count: int) -> list[str]:
    """Return so many different names, the same at every call, with a realistic mix of TLDs."""
    rng = random.Random(7)
    tlds = rng.choices(list(TLDS), weights=list(TLDS.values()), k=count)
    words = ("".join(rng.choices(LETTERS, k=rng.randint(4, 9))) for _ in range(count))
    return [f"{word}{n:x}.{tld}" for n, (word, tld) in enumerate(zip(words, tlds, strict=True))]


@contextmanager
def serving(names: Sequence[str], directory: Path, *, ttl: int = 60) -> Iterator[Zone]:
    """
    Serve names of which three in four exist.

    Args:
        names: Each once.
        directory: Empty; for the files.
        ttl: Of every answer, in seconds.
    """
    truth: dict[str, str] = {}

    def write(path: Path) -> None:
        truth.update(write_zone(path, names))
        text = path.read_text()
        for before, after in LIFETIMES:
            assert before in text, "tests.services.knot writes its zone in another way now"
            text = text.replace(before, after.format(ttl=ttl))
        path.write_text(text)

    file = directory / "names.txt"
    file.write_text("".join(f"{name}\n" for name in names))
    with running_knot(directory, write) as knot:
        assert len(truth) == len(names), "a name is there twice"
        yield Zone(nameserver=knot.address, truth=truth, file=file)
