"""What a run is asked to check, and by what it is known again."""

from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.load import LoadError
from tasks.settings import Settings
from tasks.source import Request, Source, find_source, request_fingerprint, source_name

NAMES = "python.org\ngnu.org\n"


def find(folder: Path, **request: str) -> Source:
    """Make a request ready."""
    return find_source(Request(**request), Settings(), folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file of two names."""
    path = tmp_path / "names.txt"
    path.write_text(NAMES)
    return path


def test_the_same_content_is_the_same_whatever_its_name(file: Path, tmp_path: Path) -> None:
    """A copy under another name, and the same names pasted again, are known again."""
    copy = tmp_path / "copy.csv"
    copy.write_text(NAMES)
    first, second = find(tmp_path, file=str(file)), find(tmp_path, file=str(copy))
    assert first.fingerprint == second.fingerprint
    assert (first.name, second.name) == ("names.txt", "copy.csv")
    assert find(tmp_path, domains=NAMES).fingerprint == find(tmp_path, domains=NAMES).fingerprint


def test_another_content_or_another_reading_is_another(file: Path, tmp_path: Path) -> None:
    """The content, the format, the column, and whether it was pasted all tell sources apart."""
    other = tmp_path / "other.txt"
    other.write_text(NAMES + "debian.org\n")
    sources = [
        find(tmp_path, file=str(file)),
        find(tmp_path, file=str(other)),
        find(tmp_path, file=str(file), format="csv"),
        find(tmp_path, file=str(file), format="names"),
        find(tmp_path, file=str(file), format="csv", column="1"),
        find(tmp_path, file=str(file), format="csv", column="2"),
        find(tmp_path, domains=NAMES),
        find(tmp_path, domains=NAMES, format="names"),
        find(tmp_path, file="list:1"),
        find(tmp_path, file="list:2"),
    ]
    assert len({source.fingerprint for source in sources}) == len(sources)
    assert {len(source.fingerprint) for source in sources} == {64}


def test_a_fingerprint_is_of_the_bytes(file: Path, tmp_path: Path) -> None:
    """One changed byte in a large file makes another fingerprint."""
    large = tmp_path / "large.txt"
    large.write_bytes(b"a" * 3_000_000)
    before = request_fingerprint(Request(file=str(large)))
    with large.open("r+b") as stream:
        stream.seek(2_999_999)
        stream.write(b"b")
    assert request_fingerprint(Request(file=str(large))) != before


def test_a_url_is_known_again_by_its_words() -> None:
    """The same URL read in the same way is the same request; another URL, or reading, is not."""
    url = "https://example.org/list.csv"
    requests = [Request(file=url), Request(file=f"{url}.gz"), Request(file=url, format="csv")]
    assert len({request_fingerprint(request) for request in requests}) == len(requests)
    assert request_fingerprint(Request(file=url)) == request_fingerprint(Request(file=f" {url} "))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/data/names.txt", "names.txt"),
        ("https://user:word@example.org/a/list.csv?sig=SECRET#x", "list.csv"),
        ("https://example.org", "list"),
    ],
)
def test_a_source_is_called_by_its_last_part(file: str, name: str) -> None:
    """No password and no query of a URL is in the name that people see."""
    assert source_name(file) == name


def test_names_that_no_encoding_holds_can_be_pasted(tmp_path: Path) -> None:
    """Half of a surrogate pair, which UTF-8 has no bytes for, is no reason to fail."""
    assert find(tmp_path, domains="caf\ud800.fr").fingerprint


@pytest.mark.parametrize(
    "request_", [{}, {"file": " ", "domains": "\n"}, {"file": "a.txt", "domains": "python.org"}]
)
def test_a_file_or_names_but_not_both(tmp_path: Path, request_: dict[str, str]) -> None:
    """Neither, or both, is refused with what to give."""
    with pytest.raises(InputError, match="either a file"):
        find(tmp_path, **request_)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(LoadError, match=r"missing\.txt"):
        find(tmp_path, file=str(tmp_path / "missing.txt"))


def test_the_home_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` in a path is the user's home; blanks around a path are not of it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "names.txt").write_text(NAMES)
    assert find(tmp_path, file=" ~/names.txt ").path == tmp_path / "names.txt"


def test_a_stored_list_is_named_by_its_number(tmp_path: Path) -> None:
    """`list:<id>` is a stored list; a number that no database can hold is none."""
    assert find(tmp_path, file="list:12").list_id == 12
    with pytest.raises(LoadError, match="There is no file"):
        find(tmp_path, file="list:99999999999999999999")
