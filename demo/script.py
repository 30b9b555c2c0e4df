"""A script: which name behaves how, by DNS's own rules for wildcards and for what is missing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import dns.name

from demo.behaviours import Behaviour, nodata, nxdomain

__all__ = ["Script"]


class Script:
    """
    What a scripted name server knows.

    What the aliases of a name lead to is listed without saying so.

    Args:
        names: Name to behaviour. `*.wild.com` stands for every name under `wild.com` that is
            not listed itself, nor lies under a longer one that is; `*` for every name.
        default: For a name that is not listed and has no wildcard: by default it does not exist.

    Source:
        RFC 4592 for wildcards; RFC 8020 for a name that is not listed but has a listed one
        under it: it exists, without data.
    """

    def __init__(self, names: Mapping[str, Behaviour], *, default: Behaviour | None = None) -> None:
        listed = {dns.name.from_text(name): behaviour for name, behaviour in names.items()}
        # Clients ask for what an alias leads to as well.
        listed = dict(pair for how in listed.values() for pair in _targets(how)) | listed
        self._names = {name: how for name, how in listed.items() if not name.is_wild()}
        self._wildcards = {name.parent(): how for name, how in listed.items() if name.is_wild()}
        self._existing = set(self._names).union(*map(_ancestors, listed))
        self._default = default or nxdomain()

    def behaviour(self, name: dns.name.Name) -> Behaviour:
        """
        Look up what to do with a name.

        Args:
            name: Absolute; upper and lower case are the same.
        """
        if name in self._existing:
            return self._names.get(name) or nodata()
        for above in _ancestors(name):
            if above in self._existing:
                return self._wildcards.get(above) or self._default
        return self._default


def _ancestors(name: dns.name.Name) -> list[dns.name.Name]:
    """List what a name lies under, nearest first, up to the root."""
    return [dns.name.Name(name.labels[start:]) for start in range(1, len(name.labels))]


def _targets(behaviour: Behaviour) -> Iterator[tuple[dns.name.Name, Behaviour]]:
    """List what a chain of aliases leads to, each target with the rest of the chain."""
    for position, target in enumerate(behaviour.aliases, start=1):
        rest = behaviour.aliases[position:]
        yield dns.name.from_text(target), replace(behaviour, aliases=rest)
