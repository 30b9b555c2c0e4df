import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.load.normalise import Normalised, normalise
from tasks.load.plain import plain_names
from tasks.load.reasons import SPECIAL_USE

LABELS = st.one_of(
    st.from_regex(r"\A[a-zA-Z0-9_-]{1,8}\Z"),
    st.sampled_from(["xn--bcher-kva", "xn--", "a" * 63, "a" * 64, "-", "", "com", "COM", "7"]),
    st.sampled_from(sorted(SPECIAL_USE)),
)
NAMES = st.lists(LABELS, min_size=1, max_size=7).map(".".join)
LINES = st.one_of(
    st.tuples(NAMES, st.sampled_from(["", ".", ".."])).map("".join),
    st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20),
    st.integers(240, 256).map(lambda size: ("a." * 128)[: size - 2] + "om"),
    st.integers(240, 256).map(lambda size: ("a." * 128)[: size - 2] + "om."),
)


@given(st.lists(LINES, min_size=1, max_size=30))
@example(["a.local", "a.localx", "a.xlocal", "local.com"])
@example([("a." * 128)[:251] + "om", ("a." * 128)[:252] + "om"])
@settings(max_examples=500)
def test_same_as_normalise(lines: list[str]) -> None:
    """The fast path gives what `normalise` gives, or leaves the line to it."""
    found = plain_names("\n".join(lines).encode())
    assert len(found) == len(lines)
    for line, name in zip(lines, found, strict=True):
        assert not name or normalise(line) == Normalised(name=name.decode("ascii"), flags=())


@pytest.mark.parametrize(
    "line", ["a.com", "WWW.A.CO.UK", "a.com.", "a-b--c.example.org", "0.a.io", "x" * 63 + ".de"]
)
def test_takes_the_common_lines(line: str) -> None:
    """What makes up nearly all of a list does not need the slow path."""
    assert plain_names(line.encode()) == [line.lower().removesuffix(".").encode()]
