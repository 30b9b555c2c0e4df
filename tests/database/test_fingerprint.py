"""Answers that say the same have the same fingerprint."""

from typing import Any

import pytest

from database.fingerprint import answer_fingerprint

ANSWER = {"a": ["192.0.2.1"], "ttl": 60}
#: Stored fingerprints are compared with later ones, so it must not change.
FIXED = -2352281700629297062
NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "answer", [{"ttl": 60, "a": ["192.0.2.1"]}, {"a": ["192.0.2.1"], "ttl": 59}]
)
def test_what_means_the_same_is_the_same(answer: dict[str, Any]) -> None:
    """The order of the fields and what is volatile do not count."""
    volatile = frozenset({"ttl", "unheard-of"})
    assert answer_fingerprint(answer, volatile) == answer_fingerprint(ANSWER, volatile)


@pytest.mark.parametrize(
    "answer",
    [{}, {"a": ["192.0.2.2"], "ttl": 60}, {**ANSWER, "b": None}, {**ANSWER, "a": "192.0.2.1"}],
)
def test_what_says_something_else_is_another(answer: dict[str, Any]) -> None:
    """Any other value, field or type counts; so does the TTL where nobody calls it volatile."""
    assert answer_fingerprint(answer, frozenset({"ttl"})) != answer_fingerprint(
        ANSWER, frozenset({"ttl"})
    )
    assert answer_fingerprint({**ANSWER, "ttl": 1}, NOTHING) != answer_fingerprint(ANSWER, NOTHING)


def test_it_fits_a_column_and_a_process() -> None:
    """It is the same in every process, an integer of eight bytes, and none of no answer."""
    assert answer_fingerprint(ANSWER, NOTHING) == FIXED
    assert answer_fingerprint(None, NOTHING) is None
    numbers = [answer_fingerprint({"n": n}, NOTHING) or 0 for n in range(1_000)]
    assert min(numbers) >= -(1 << 63)
    assert max(numbers) < 1 << 63
    assert min(numbers) < 0 < max(numbers)


def test_any_text_has_one() -> None:
    """What strangers send, a lone surrogate for example, is no obstacle."""
    assert answer_fingerprint({"a": "\ud800\0"}, NOTHING) is not None
