"""What a server means by Retry-After, for whoever asks it again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def pause_of(retry_after: str | None) -> float | None:
    """Return the seconds that a Retry-After header means; None where it means nothing."""
    if retry_after is None:
        return None
    # Longer numbers are no time; and `int` refuses the longest.
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 10:
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
