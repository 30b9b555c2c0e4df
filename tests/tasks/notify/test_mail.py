"""E-mail, over real SMTP servers."""

import ssl
from pathlib import Path

import pytest
import trustme

from tasks.notify import notify, parse_entries
from tasks.notify.message import SAMPLE
from tasks.settings import Settings
from tests.services import listening
from tests.services.mailbox import running_smtp
from tests.services.processes import free_port

SENDER = "rollcall@example.com"


def send(to: str, url: str) -> list[str]:
    """Send the sample."""
    settings = Settings(smtp_url=url, mail_from=SENDER)
    return notify(parse_entries([to], settings), SAMPLE, settings)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Give an authority that everybody here trusts."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return ca


def context(ca: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Make a server's context."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(made)
    return made


def test_a_mail_arrives() -> None:
    """It goes to all recipients at once, as text and as HTML, and says that a machine wrote it."""
    with running_smtp() as box:
        problems = send("mailto:ann@example.org, bob@example.org", f"smtp://127.0.0.1:{box.port}")
    assert problems == []
    assert box.recipients == [["ann@example.org", "bob@example.org"]]
    (mail,) = box.mails
    assert (mail["From"], mail["To"]) == (SENDER, "ann@example.org, bob@example.org")
    assert mail["Subject"] == "Rollcall: quick-otter changed"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in mail.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    for part in mail.iter_parts():
        assert "example.com" in str(part.get_content())


def test_the_same_notice_has_the_same_id() -> None:
    """A repeated mail is known by its Message-ID, and another notice has another one."""
    with running_smtp() as box:
        url = f"smtp://127.0.0.1:{box.port}"
        settings = Settings(smtp_url=url, mail_from=SENDER)
        entries = parse_entries(["mailto:ann@example.org"], settings)
        for notice in (SAMPLE, SAMPLE, SAMPLE.model_copy(update={"run_id": "2"})):
            assert notify(entries, notice, settings) == []
    first, again, other = (mail["Message-ID"] for mail in box.mails)
    assert first == again != other
    assert first.endswith("@example.com>")


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_secured(authority: trustme.CA, how: str) -> None:
    """With STARTTLS or with TLS from the first byte, after a login; `%40` in a name is @."""
    server = context(authority)
    with running_smtp(**{how: server}) as box:  # type: ignore[arg-type]
        where = f"ann%40example.org:sesame@127.0.0.1:{box.port}"
        url = f"smtps://{where}" if how == "tls" else f"smtp://{where}?starttls=1"
        assert send("mailto:ann@example.org", url) == []
    assert len(box.mails) == 1
    assert box.logins == [("ann@example.org", "sesame")]


def test_a_wrong_password_is_not_shown(authority: trustme.CA) -> None:
    """A login that is refused is said, without the password, and is not tried again."""
    with running_smtp(starttls=context(authority)) as box:
        url = f"smtp://ann:opensaysme@127.0.0.1:{box.port}?starttls=1"
        (problem,) = send("mailto:ann@example.org", url)
    assert "not sent" in problem
    assert "535" in problem
    assert "opensaysme" not in problem
    assert set(box.logins) == {("ann", "opensaysme")}
    assert box.mails == []


@pytest.mark.parametrize("certificate", ["unknown", "another name"])
def test_no_login_without_a_good_certificate(authority: trustme.CA, certificate: str) -> None:
    """A server that cannot prove who it is gets no password."""
    ca, name = (trustme.CA(), "127.0.0.1") if certificate == "unknown" else (authority, "127.0.0.2")
    with running_smtp(starttls=context(ca, name)) as box:
        url = f"smtp://ann:sesame@127.0.0.1:{box.port}?starttls=1"
        (problem,) = send("mailto:ann@example.org", url)
    assert "CERTIFICATE_VERIFY_FAILED" in problem
    assert box.logins == []


def test_no_password_in_the_clear_by_mistake() -> None:
    """A server that has no STARTTLS where one is demanded gets neither a login nor a mail."""
    with running_smtp() as box:
        url = f"smtp://ann:sesame@127.0.0.1:{box.port}?starttls=1"
        (problem,) = send("mailto:ann@example.org", url)
    assert "STARTTLS" in problem
    assert (box.logins, box.mails) == ([], [])


def test_an_unknown_recipient_is_said() -> None:
    """550 for everybody is not tried again; 550 for one does not send the others' mail twice."""
    with running_smtp(refused=["eve@example.org"]) as box:
        url = f"smtp://127.0.0.1:{box.port}"
        (alone,) = send("mailto:eve@example.org", url)
        assert box.mails == []
        (among,) = send("mailto:ann@example.org,eve@example.org", url)
    assert "550" in alone
    assert "no such user here" in alone
    assert "not taken for eve@example.org" in among
    assert box.recipients == [["ann@example.org"]]


@pytest.mark.parametrize(("busy", "tries", "sent"), [(1, 2, 1), (9, 2, 0)])
def test_a_busy_server_is_asked_once_more(busy: int, tries: int, sent: int) -> None:
    """451 is a reason to try again, once."""
    with running_smtp(busy=busy) as box:
        problems = send("mailto:ann@example.org", f"smtp://127.0.0.1:{box.port}")
    assert (box.tries, len(box.mails), len(problems)) == (tries, sent, 1 - sent)
    assert all("451" in problem for problem in problems)


def test_a_server_that_is_not_there() -> None:
    """A refused connection is said, with the server's place."""
    port = free_port()
    (problem,) = send("mailto:ann@example.org", f"smtp://127.0.0.1:{port}")
    assert problem.startswith("notification 1 (mailto:ann@example.org): not sent: ")
    assert f"127.0.0.1:{port}: ConnectionRefusedError" in problem


def test_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is given up, and tried once more."""
    monkeypatch.setattr("tasks.notify.mail.TIMEOUT_SECONDS", 2.0)
    with listening.listening(listening.silent) as server:
        (problem,) = send("mailto:ann@example.org", f"smtp://127.0.0.1:{server.port}")
        assert server.connections == 2
    assert "timed out" in problem
