import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.load.normalise import Normalised, Rejected, normalise
from tasks.load.reasons import FLAGS, REASONS, SPECIAL_USE

LEGAL = re.compile(r"(?=.{3,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
                   r"(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)+")  # fmt: skip

#: Pieces that steer random text into every branch.
PIECES = st.sampled_from(
    [
        "example", "com", "EXAMPLE", ".", "-", "_", "://", "http", "//", "@", ":", "80", "/", "?",
        "#", "*", "[.]", "(dot)", "hxxp", "<", ">", "xn--", "xn--bcher-kva", "bücher", "💩", "İ",
        "ß", "σς", "\u200d", "\u00ad", "。", "١", "１", "127.0.0.1", "::1", "[", "]", " ", "\t",
        "\0", "\\", ",", "a" * 63, "a" * 64, "ä" * 60, "local", "\ud800", "\ufffd", "mailto:",
        "%", "0x7f", '"',
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join))


@pytest.mark.parametrize(
    ("text", "name", "flags"),
    [
        ("Example.COM", "example.com", ()),
        ("example.com.", "example.com", ()),
        ("  example.com \t", "example.com", ()),
        ("\u00a0\u200b\ufeffexample.com\u200b\u00a0", "example.com", ()),
        ('"example.com",', "example.com", ()),
        ("https://user:pw@example.com:8443/p?q#f", "example.com", ("from_url",)),
        ("https://example.com?q=a@b.com", "example.com", ("from_url",)),
        ("//example.com/x", "example.com", ("from_url",)),
        ("hxxp://example.com", "example.com", ("defanged", "from_url")),
        ("hxxps://example[.]com/x", "example.com", ("defanged", "from_url")),
        ("example[.]com", "example.com", ("defanged",)),
        ("example(.)com", "example.com", ("defanged",)),
        ("example[dot]com", "example.com", ("defanged",)),
        ("example.com/path", "example.com", ("from_url",)),
        ("example.com/@user", "example.com", ("from_url",)),
        ("example.com:443", "example.com", ("from_url",)),
        ("bob@example.com", "example.com", ("from_email",)),
        ("mailto:bob@example.com?subject=x", "example.com", ("from_email",)),
        ("Bob B. <bob@example.com>", "example.com", ("from_email",)),
        ("*.example.com", "example.com", ("wildcard_stripped",)),
        (".example.com", "example.com", ("wildcard_stripped",)),
        ("_dmarc.example.com", "_dmarc.example.com", ("underscore",)),
        ("foo_bar.x.com", "foo_bar.x.com", ("underscore",)),
        ("r3---sn-x.googlevideo.com", "r3---sn-x.googlevideo.com", ()),
        ("ab--cd.com", "ab--cd.com", ()),
        ("a" * 63 + ".com", "a" * 63 + ".com", ()),
        ("a." * 125 + "com", "a." * 125 + "com", ()),
        ("www.a.com", "www.a.com", ()),
        ("1.2.3.com", "1.2.3.com", ()),
        ("bücher.de", "xn--bcher-kva.de", ("idn",)),
        ("BÜCHER.DE", "xn--bcher-kva.de", ("idn",)),
        ("bücher。de", "xn--bcher-kva.de", ("idn",)),
        ("_dmarc.bücher.de", "_dmarc.xn--bcher-kva.de", ("idn", "underscore")),
        ("faß.de", "xn--fa-hia.de", ("idn",)),
        ("βόλος.com", "xn--nxasmm1c.com", ("idn",)),
        ("ΒΌΛΟΣ.com", "xn--nxasmq6b.com", ("idn",)),
        ("💩.la", "xn--ls8h.la", ("idn", "idna_nonstandard")),
        ("☃.net", "xn--n3h.net", ("idn", "idna_nonstandard")),
        ("XN--BCHER-KVA.de", "xn--bcher-kva.de", ()),
        ("xn--ls8h.la", "xn--ls8h.la", ()),
        ("xn--99999999.com", "xn--99999999.com", ("bad_punycode",)),
    ],
)
def test_accepted(text: str, name: str, flags: tuple[str, ...]) -> None:
    """What people write for a name becomes that name, and says how."""
    assert normalise(text) == Normalised(name=name, flags=flags)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("example.com..", "empty_label"),
        ("a..com", "empty_label"),
        (".", "empty_label"),
        ("", "empty_label"),
        ("192.0.2.1", "ip_address"),
        ("192.0.2.1:80", "ip_address"),
        ("http://192.0.2.1/", "ip_address"),
        ("[2001:db8::1]", "ip_address"),
        ("http://[2001:db8::1]:80/", "ip_address"),
        ("2001:db8::1", "ip_address"),
        ("fe80::1%lo0", "ip_address"),
        ("10.0.0.0/8", "ip_address"),
        ("１９２.0.2.1", "ip_address"),
        ("2130706433", "numeric_tld"),
        ("0x7f.1", "numeric_tld"),
        ("0x7f.0x1", "numeric_tld"),
        ("1.2.3", "numeric_tld"),
        ("localhost", "single_label"),
        ("router", "single_label"),
        ("com", "single_label"),
        (".com", "single_label"),
        *((f"foo.{tld}", "special_use") for tld in sorted(SPECIAL_USE)),
        ("FOO.Local.", "special_use"),
        ("-a.com", "hyphen"),
        ("a-.com", "hyphen"),
        ("xn--.com", "hyphen"),
        ("-t", "hyphen"),
        ("a" * 64 + ".com", "label_too_long"),
        ("ä" * 64 + ".com", "label_too_long"),
        ("ä" * 60 + ".com", "label_too_long"),
        ("a." * 126 + "com", "name_too_long"),
        ("ä." * 40 + "com", "name_too_long"),
        ("ä" * 2000, "name_too_long"),
        ("ex ample.com", "forbidden_char"),
        ("a,b.com", "forbidden_char"),
        ("a\tb.com", "forbidden_char"),
        ("a\x00b.com", "forbidden_char"),
        ("a\\.b.com", "forbidden_char"),
        ("a\\097.com", "forbidden_char"),
        ("@8.8.8.8", "forbidden_char"),
        ("+short", "forbidden_char"),
        ("=cmd|'/C calc'!A0", "forbidden_char"),
        ("*.*.example.com", "forbidden_char"),
        ("a b@example.com", "forbidden_char"),
        ("<script>", "single_label"),
        ("<script>alert(1)</script>", "forbidden_char"),
        ("file:///etc/passwd", "no_name"),
        ("/path/only", "no_name"),
        ("a\u200db.com", "bad_idn"),
        ("١.com", "bad_idn"),
        ("b\ufffdcher.de", "not_utf8"),
    ],
)
def test_rejected(text: str, reason: str) -> None:
    """What is no name of the public DNS is rejected for the reason that a user understands."""
    assert normalise(text) == Rejected(reason=reason)


@given(TEXTS)
def test_any_text(text: str) -> None:
    """No text raises, and what comes out is legal and comes out of itself again."""
    outcome = normalise(text)
    if isinstance(outcome, Rejected):
        assert outcome.reason in REASONS
        return
    assert LEGAL.fullmatch(outcome.name)
    assert outcome.name.rpartition(".")[2] not in SPECIAL_USE
    assert set(outcome.flags) <= set(FLAGS)
    again = normalise(outcome.name)
    assert isinstance(again, Normalised)
    assert again.name == outcome.name
