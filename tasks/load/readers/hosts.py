"""The hosts file: an address, then names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.load.readers.candidates import LineReader

ADDRESS = re.compile(rb"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)(?:%\w+)?")
#: What a system's own hosts file says of itself, and no list of names means.
_LOCAL = re.compile(rb"(?:localhost|ip6-|broadcasthost\Z|local\Z|0\.0\.0\.0\Z).*", re.IGNORECASE)


def hosts_names(line: bytes) -> Sequence[bytes] | str:
    """
    Read a line of a hosts file that is not blank.

    Returns:
        The names, none when the line only has a comment or names of this machine; or a reason.
    """
    tokens = line.split(b"#", 1)[0].split()
    if not tokens:
        return ()
    if not ADDRESS.fullmatch(tokens[0]):
        return tokens if len(tokens) == 1 else (b" ".join(tokens),)
    if len(tokens) == 1:
        return "ip_address"
    return [token for token in tokens[1:] if not _LOCAL.match(token)]


class HostsReader(LineReader):
    """Reads hosts files; a line may hold several names."""

    def parse(self, line: bytes) -> Sequence[bytes] | str:
        """Read a line; a name without an address before it counts too."""
        return hosts_names(line)
