"""Knot DNS: a fast authoritative name server for the root zone, so that every name can be in it."""

import contextlib
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.services.processes import find_program, free_port, running, wait_until

__all__ = ["Knot", "running_knot", "usual_record", "write_zone"]

ZONE_FILE = "root.zone"
#: Enough to read a zone of ten million names; a thousand take a tenth of a second.
START_SECONDS = 180.0
HEADER = """\
$ORIGIN .
$TTL 60
@ SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60
@ NS ns.invalid.
ns.invalid. A 127.0.0.1
"""
#: Zone file only: no journal, nothing written back, nothing checked that costs time.
CONFIGURATION = """\
server:
    rundir: "{rundir}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: "{rundir}"
zone:
  - domain: .
    storage: "."
    file: {zone_file}
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knot:
    """A running name server."""

    port: int

    @property
    def address(self) -> str:
        """Where it listens, as `ip:port`."""
        return f"127.0.0.1:{self.port}"


def usual_record(name: str) -> str | None:
    """
    Decide what a name has, as lists of real names look: three in four exist.

    By a checksum of the name, so that the same name has the same record in every zone.

    Returns:
        A record in zone file notation without its owner; None if the name does not exist.
        Of 20 names 13 have an A, one an AAAA only, one no address, and 5 do not exist.
    """
    twentieth = zlib.crc32(name.encode()) % 20
    if twentieth < 5:
        return None
    return {5: "AAAA 2001:db8::1", 6: "MX 10 mail.invalid."}.get(twentieth, "A 192.0.2.1")


def write_zone(
    path: Path,
    names: Iterable[str],
    *,
    record: Callable[[str], str | None] = usual_record,
) -> dict[str, str]:
    """
    Write a root zone, and tell what is true in it.

    Args:
        path: The zone file.
        names: Without the last dot, in lower case, each once.
        record: Name to its record in zone file notation without the owner (`A 192.0.2.1`), or None.

    Returns:
        Name to `resolves`, `nodata` or `nxdomain`, in the order given.

    Source:
        RFC 8020: a missing name that has an existing one under it is `nodata`.
    """
    records = {name: record(name) for name in names}
    with path.open("w") as zone:
        zone.write(HEADER)
        zone.writelines(f"{name}. {text}\n" for name, text in records.items() if text)
    existing = {above for name, text in records.items() if text for above in _ancestors(name)}
    return {name: _status(text, is_ancestor=name in existing) for name, text in records.items()}


@contextlib.contextmanager
def running_knot(
    directory: Path, write: Callable[[Path], object] | Iterable[str] = ()
) -> Iterator[Knot]:
    """
    Serve a root zone.

    Args:
        directory: Empty; for its files.
        write: Writes the zone file at the path given, as `write_zone` does; or the lines of
            the zone, to which SOA and NS are added.

    Raises:
        ServerFailed: It is not installed, or does not like the zone.
    """
    program = find_program("knotd", package="knot")
    port = free_port()
    _write(directory / ZONE_FILE, write)
    # The path of its control socket may have 107 bytes; those of pytest's directories are longer.
    with tempfile.TemporaryDirectory(prefix="rollcall-knot-") as rundir:
        text = CONFIGURATION.format(port=port, rundir=rundir, zone_file=ZONE_FILE)
        (directory / "knot.conf").write_text(text)
        with running([program, "-c", "knot.conf"], directory=directory, name="knotd") as server:
            wait_until(lambda: _answers(port), server=server, seconds=START_SECONDS)
            yield Knot(port=port)


def _write(path: Path, write: Callable[[Path], object] | Iterable[str]) -> None:
    if callable(write):
        write(path)
    else:
        path.write_text(HEADER + "".join(f"{line}\n" for line in write))


def _answers(port: int) -> bool:
    """Tell whether the zone is loaded: until then the answer is REFUSED or SERVFAIL."""
    query = dns.message.make_query(".", "SOA")
    with contextlib.suppress(dns.exception.DNSException):
        return bool(dns.query.udp(query, "127.0.0.1", timeout=1, port=port).answer)
    return False


def _ancestors(name: str) -> Iterator[str]:
    while "." in name:
        name = name.partition(".")[2]
        yield name


def _status(record: str | None, *, is_ancestor: bool) -> str:
    if record is None:
        return "nodata" if is_ancestor else "nxdomain"
    return "resolves" if record.startswith(("A ", "AAAA ")) else "nodata"
