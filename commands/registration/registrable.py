"""The registrable domain of a name: what a registry knows, or does not."""

from __future__ import annotations

from functools import cache

from publicsuffixlist import PublicSuffixList


@cache
def _registries_suffixes() -> PublicSuffixList:
    # Only what registries sell: below a suffix like github.io, which its owner hands out, nothing
    # is registered, and the registry of .io would truly say so. Reading takes a tenth of a second.
    return PublicSuffixList(accept_unknown=True, only_icann=True)


def registrable_domain(name: str) -> str:
    """
    Return the part of a name that somebody could have registered with a registry.

    Args:
        name: In lower case, internationalised labels as ``xn--``, without the last dot.

    Raises:
        ValueError: It is a public suffix, or nothing.

    Source:
        https://publicsuffix.org/list/, the part "ICANN domains", with its rule `*`
    """
    registrable: str | None = _registries_suffixes().privatesuffix(name)
    if registrable is None:
        message = f"{name!r} is a public suffix: nobody can register it"
        raise ValueError(message)
    return registrable
