"""One reader a format: lines to the pieces of text that should be names."""

from tasks.load.readers.adblock import AdblockReader
from tasks.load.readers.candidates import Candidates, Reader, Rejection
from tasks.load.readers.hosts import HostsReader
from tasks.load.readers.names import NamesReader
from tasks.load.readers.table import TableReader
from tasks.load.readers.zone import ZoneReader

__all__ = [
    "AdblockReader",
    "Candidates",
    "HostsReader",
    "NamesReader",
    "Reader",
    "Rejection",
    "TableReader",
    "ZoneReader",
]
