"""A sink that keeps what it is given."""

from collections.abc import Sequence
from pathlib import Path

from tasks.load import LoadOptions, LoadReport, load_file


class ListSink:
    """Keeps all rows in memory, and how many calls brought them."""

    def __init__(self) -> None:
        self.domains: list[tuple[int, str, int]] = []
        self.rejected: list[tuple[int, int, str, str]] = []
        self.calls = 0

    def add_domains(self, rows: Sequence[tuple[int, str, int]]) -> None:
        """Keep names."""
        self.domains += rows
        self.calls += 1

    def add_rejected(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """Keep what was rejected."""
        self.rejected += rows
        self.calls += 1

    @property
    def names(self) -> dict[str, int]:
        """Name to first line."""
        return {name: line for _, name, line in self.domains}


def load_bytes(
    directory: Path, data: bytes, options: LoadOptions | None = None, *, name: str = "upload.bin"
) -> tuple[LoadReport, ListSink]:
    """Write a file into a directory and load it."""
    path = directory / name
    path.write_bytes(data)
    sink = ListSink()
    return load_file(path, sink, options or LoadOptions()), sink
