"""What an RDAP server's answer means for the domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from commands.net.fetch import Fetched
from commands.registration.domain import (
    domain_facts,
    error_code,
    explanation,
    is_domain,
    parse_object,
    tells_of_quota,
)

#: RFC 7480 leaves open how a server refuses; registries were seen to use all of these.
REFUSALS = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The status of a domain, and why."""

    #: A status of `rdap`.
    status: str
    #: What was learned, where it is registered.
    facts: Mapping[str, Any] | None = None
    #: Where the status is not sure.
    error: str | None = None


def verdict(fetched: Fetched) -> Verdict:
    """Say what an answer that leads nowhere else means."""
    found = parse_object(fetched.body)
    code = fetched.status
    if code == HTTPStatus.OK and found is not None:
        if is_domain(found):
            return Verdict(status="registered", facts=domain_facts(found))
        if tells_of_quota(found):
            return Verdict(status="rate-limited", error=f"it said: {explanation(found)}")
        # Some servers say what went wrong in the body only.
        code = error_code(found) or code
    return _without_domain(code, explanation(found))


def _without_domain(code: int, words: str) -> Verdict:
    if code == HTTPStatus.NOT_FOUND:
        return Verdict(status="not-found")
    error = f"HTTP {code}: {words}" if words else f"HTTP {code}"
    if code in REFUSALS:
        return Verdict(status="rate-limited", error=error)
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict(status="server-error", error=error)
    if code >= HTTPStatus.BAD_REQUEST:
        return Verdict(status="error", error=error)
    return Verdict(status="invalid", error=f"{error}, and no domain object in it")
