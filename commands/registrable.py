"""The registrable domain of a name, by the Public Suffix List that is bundled with a library."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _public_suffixes(*, registries_only: bool) -> PublicSuffixList:
    # Reading the list takes a tenth of a second: once a process, at first use, not at import.
    return PublicSuffixList(accept_unknown=True, only_icann=registries_only)


def registrable_domain(name: str, *, registries_only: bool = False) -> str | None:
    """
    Return the part of a name that somebody registered, or None for a public suffix.

    Works without any network.

    Args:
        name: In lower case, internationalised labels as ``xn--``, without the last dot.
        registries_only: Whether only what registries sell counts. Below a suffix like github.io,
            which its owner hands out, nothing is registered, and the registry of .io would truly
            say so.

    Source:
        https://publicsuffix.org/list/ with its rule `*` for unknown suffixes; its part "ICANN
        domains" is what registries sell
    """
    registrable: str | None = _public_suffixes(registries_only=registries_only).privatesuffix(name)
    return registrable
