from dataclasses import replace

import pytest

from tasks.load import LoadOptions, UnknownColumn, UnknownFormat, load_text
from tests.tasks.load.sink import ListSink

MAJESTIC = "GlobalRank,TldRank,Domain,TLD,RefSubNets,RefIPs,IDN_Domain,IDN_TLD\n" + "".join(
    f"{i},{i},n{i}.com,com,{i * 7},{i * 9},n{i}.com,com\n" for i in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "words", "names"),
    [
        ("a.com\nb.com\n", "UTF-8, one name a line", {"a.com", "b.com"}),
        ("1,a.com\r\n2,b.com\r\n", "UTF-8, CSV with ',' and no header, names in column 2", None),
        ("1,com\n2,a.com\n3,b.com\n", "UTF-8, CSV with ',' and no header, names in column 2", None),
        (MAJESTIC, "UTF-8, CSV with ',' and a header, names in column 3 (Domain)", None),
        (
            "origin,rank\nhttps://a.com,1000\nhttp://b.com:81,1000\n",
            "UTF-8, CSV with ',' and a header, names in column 1 (origin)",
            {"a.com", "b.com"},
        ),
        (
            "a.com;2024-01-01\nb.com;2024-01-02\n",
            "UTF-8, CSV with ';' and no header, names in column 1",
            {"a.com", "b.com"},
        ),
        (
            "Note\tDomain\nx\ta.com\ny\tb.com\n",
            "UTF-8, CSV with tabs and a header, names in column 2 (Domain)",
            {"a.com", "b.com"},
        ),
        (
            "1|a.com\n2|b.com\n",
            "UTF-8, CSV with '|' and no header, names in column 2",
            {"a.com", "b.com"},
        ),
        (
            '"Rank","Domain","Open Page Rank"\n"1","a.com","10.00"\n"2","b.com","10.00"\n',
            "UTF-8, CSV with ',' and a header, names in column 2 (Domain)",
            {"a.com", "b.com"},
        ),
        (
            "domain\na.com\nb.com\n",
            "UTF-8, CSV with ',' and a header, names in column 1 (domain)",
            {"a.com", "b.com"},
        ),
        (
            "Name,E-Mail\nBob,bob@a.com\nEve,eve@b.com\n",
            "UTF-8, CSV with ',' and a header, names in column 2 (E-Mail)",
            {"a.com", "b.com"},
        ),
        ("Bob <b@a.com>\nE, F <e@b.com>\n", "UTF-8, one name a line", {"a.com", "b.com"}),
        ("# x\n0.0.0.0 a.com\n0.0.0.0 b.com\n", "UTF-8, hosts file", {"a.com", "b.com"}),
        ("[Adblock Plus]\na.com\nb.com\n", "UTF-8, ad blocker's filter list", {"a.com", "b.com"}),
        ("! x\n||a.com^\n||b.com^\n", "UTF-8, ad blocker's filter list", {"a.com", "b.com"}),
        (
            "com. 900 in soa a. b. 1 2 3 4 5\na.com.\t1728\tin\tns\tns1.x.\nb.com. 1 in ds 1 2 3 4",
            "UTF-8, zone file",
            {"a.com", "b.com"},
        ),
        ("$TTL 60\n@ SOA a. b. 1 2 3 4 5\na.com CNAME .\n*.a.com CNAME .\n", "UTF-8, zone file",
         {"a.com"}),
    ],
)  # fmt: skip
def test_layout(text: str, words: str, names: set[str] | None) -> None:
    """The format is found from the file, and the user is told which."""
    sink = ListSink()
    report = load_text(text, sink)
    assert report.detected.describe() == words
    if names is not None:
        assert set(sink.names) == names


@pytest.mark.parametrize("column", [2, "2", "Second", "second"])
def test_column_override(column: int | str) -> None:
    """The user's column wins over the better one, by number or by name."""
    text = "First,Second\na.com,x.com\nb.com,y.com\nc.com,\n"
    sink = ListSink()
    report = load_text(text, sink, replace(LoadOptions(), column=column))
    assert set(sink.names) == {"x.com", "y.com"}
    assert report.reasons == {"no_name": 1}
    assert (report.detected.column, report.detected.column_name) == (2, "Second")


@pytest.mark.parametrize("column", [0, 3, -1, "Third", ""])
def test_unknown_column(column: int | str) -> None:
    """A column that is not there is an error that lists those that are."""
    with pytest.raises(UnknownColumn, match=r"1 to 2 or a name \(First, Second\)"):
        load_text("First,Second\na.com,b.com\n", ListSink(), LoadOptions(column=column))


def test_unknown_format() -> None:
    """A format that is not there is an error that lists those that are."""
    with pytest.raises(UnknownFormat, match="names, csv, hosts, adblock, zone"):
        load_text("a.com", ListSink(), LoadOptions(format="xml"))


def test_format_override() -> None:
    """The user's format wins over what the file looks like."""
    sink = ListSink()
    report = load_text("1,a.com\nb.com\n", sink, LoadOptions(format="names"))
    assert set(sink.names) == {"b.com"}
    assert report.reasons == {"forbidden_char": 1}
