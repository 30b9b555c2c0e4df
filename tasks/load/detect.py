"""Which format a file has: decided once for the file, from its first lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tasks.load.columns import Table, find_table
from tasks.load.comments import without_inline_comment
from tasks.load.errors import UnknownFormat
from tasks.load.options import LoadOptions
from tasks.load.readers import (
    AdblockReader,
    HostsReader,
    NamesReader,
    Reader,
    TableReader,
    ZoneReader,
)
from tasks.load.readers.hosts import ADDRESS
from tasks.load.sample import Sample, valid_share

FORMATS: Final = ("names", "csv", "hosts", "adblock", "zone")
MAJORITY: Final = 0.5  #: Share of lines of a form from which on a file has that format.
#: Filter lists have many plain lines and cosmetic rules, but no other list has a `||` at all.
ADBLOCK_SHARE: Final = 0.2

_ADBLOCK_HEADER = re.compile(r"\[(?:adblock|adguard|ublock)", re.IGNORECASE)
_ADBLOCK = re.compile(r"\|\|\S|@@\S|\S*#[@?$%]*#\S")
_HOSTS = re.compile(ADDRESS.pattern.decode() + r"\s+\S")
_RECORD = re.compile(
    r"(?:\S+)?\s+(?:\d\w*\s+)?(?:(?:IN|CH|HS)\s+)?(?:\d\w*\s+)?"
    r"(?:A|AAAA|CAA|CNAME|DNAME|DNSKEY|DS|HTTPS|MX|NAPTR|NS|NSEC|NSEC3|NSEC3PARAM|PTR|RRSIG|SOA"
    r"|SRV|SSHFP|SVCB|TLSA|TXT)(?:\s+\S|\s*\()",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"\$(?:ORIGIN|TTL|INCLUDE|GENERATE)\s", re.IGNORECASE)

Layout = tuple[str, Table | None]


def detect_layout(sample: Sample, options: LoadOptions) -> Layout:
    """
    Decide the format, and for CSV its table.

    Raises:
        UnknownFormat, UnknownColumn: An option asks for what there is not.
    """
    if options.format is not None and options.format not in FORMATS:
        known = ", ".join(FORMATS)
        raise UnknownFormat(f"There is no format {options.format!r}: use one of {known}.")
    if options.format == "csv" or (options.format is None and options.column is not None):
        return "csv", find_table(sample.content, column=options.column, forced=True)
    if options.format is not None:
        return options.format, None
    return _by_lines(sample)


def make_reader(layout: Layout, *, max_line_bytes: int) -> Reader:
    """Return a new reader for a layout, at the beginning of a stream."""
    format_name, table = layout
    if table is not None:
        return TableReader(
            delimiter=table.delimiter,
            column=table.column,
            header=table.header is not None,
            max_line_bytes=max_line_bytes,
        )
    readers: dict[str, Callable[[], Reader]] = {
        "names": NamesReader,
        "hosts": lambda: HostsReader(max_line_bytes=max_line_bytes),
        "adblock": lambda: AdblockReader(max_line_bytes=max_line_bytes),
        "zone": lambda: ZoneReader(max_line_bytes=max_line_bytes),
    }
    return readers[format_name]()


def _by_lines(sample: Sample) -> Layout:
    content = sample.content
    if any(_ADBLOCK_HEADER.match(line) for line in sample.lines[:3]):
        return "adblock", None
    if _share(_HOSTS, content) >= MAJORITY:
        return "hosts", None
    if _share(_ADBLOCK, sample.lines) >= ADBLOCK_SHARE:
        return "adblock", None
    if any(_DIRECTIVE.match(line) for line in content) or _share(_RECORD, content) >= MAJORITY:
        return "zone", None
    names_share = valid_share([without_inline_comment(line) for line in content])
    table = find_table(content, column=None, forced=False)
    if table and (table.share > names_share or (table.header and table.share == names_share)):
        return "csv", table
    return "names", None


def _share(pattern: re.Pattern[str], lines: list[str]) -> float:
    filled = [line for line in lines if line.strip()]
    return sum(bool(pattern.match(line)) for line in filled) / max(1, len(filled))
