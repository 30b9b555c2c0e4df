"""What a server can do to a mail: put it off, refuse it, be away, or say nothing at the end."""

import asyncio

import pytest
from sqlalchemy import Engine

from database.subscribers import add_subscriber
from tests.services import listening
from tests.services.mailbox import Mailbox, running_smtp
from tests.services.processes import free_port
from tests.tasks.mail.world import ANN, BOB, emit, end, fail, mails, pass_time


def test_put_off_and_taken_later(engine: Engine, url: str, ann: str) -> None:
    """451 puts a mail off for a while; the pause grows; it is taken when it is due again."""
    end(engine)
    with running_smtp(busy=2) as box:
        smtp = f"smtp://127.0.0.1:{box.port}"
        for tries in (1, 2):
            delayed = emit(url, smtp)
            assert delayed.status == "delayed"
            assert "451" in (delayed.error or "")
            # Not due yet.
            assert emit(url, smtp).status == "delayed"
            assert (box.tries, mails(engine)) == (tries, [(ann, "pending", tries)])
            pass_time(engine)
        assert emit(url, smtp).status == "sent"
    assert len(box.mails) == 1


def test_refused_for_good(engine: Engine, url: str) -> None:
    """550 for one is noted with the server's words, and keeps nobody else's mail."""
    add_subscriber(engine, ANN, ["runs"])
    add_subscriber(engine, BOB, ["runs"])
    end(engine)
    with running_smtp(refused=[ANN]) as box:
        smtp = f"smtp://127.0.0.1:{box.port}"
        outcome = emit(url, smtp)
        assert outcome.status == "refused"
        assert "no such user here" in (outcome.error or "")
        assert outcome.answer == {"posted": 2, "sent": 1, "delayed": 0, "failed": 1, "unsure": 0}
        pass_time(engine)
        assert mails(engine) == [(ANN, "failed", 0), (BOB, "sent", 0)]
    assert box.recipients == [[BOB]]


def test_refused_and_sent_again(engine: Engine, url: str, ann: str) -> None:
    """What was refused by mistake is sent when somebody says so."""
    end(engine)
    with running_smtp(refused=[ann]) as box:
        assert emit(url, f"smtp://127.0.0.1:{box.port}").status == "refused"
    with running_smtp() as box:
        smtp = f"smtp://127.0.0.1:{box.port}"
        assert emit(url, smtp).status == "nothing"
        assert emit(url, smtp, {"resend": "failed"}).status == "sent"
    assert box.recipients == [[ann]]


def test_a_server_that_is_away(engine: Engine, url: str, box: Mailbox, ann: str) -> None:
    """While there is no server nothing is tried; the mail goes with the next job after that."""
    end(engine)
    for _ in range(2):
        delayed = emit(url, f"smtp://127.0.0.1:{free_port()}")
        assert delayed.status == "delayed"
        assert "ConnectionRefusedError" in (delayed.error or "")
        assert mails(engine) == [(ann, "pending", 0)]
    assert emit(url, f"smtp://127.0.0.1:{box.port}").status == "sent"


def test_a_login_that_fails(engine: Engine, url: str, box: Mailbox, ann: str) -> None:
    """What will not mend itself fails the job, without the password; the mail waits."""
    end(engine)
    outcome = emit(url, f"smtp://ann:opensaysme@127.0.0.1:{box.port}")
    assert outcome.status == "error"
    assert "535" in (outcome.error or "")
    assert "opensaysme" not in (outcome.error or "")
    assert mails(engine) == [(ann, "pending", 0)]


class Script:
    """An SMTP server that answers each command as a test says; None hangs up."""

    def __init__(self, **answers: bytes | None) -> None:
        self._answers = answers
        #: What it was told: the verbs, and each mail up to its dot.
        self.heard: list[str] = []
        self.mails: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line.split()[0].decode().upper()
            self.heard.append(verb)
            answer = self._answers.get(verb.lower(), b"250 fine")
            if verb == "DATA" and answer == b"354 go on":
                writer.write(answer + b"\r\n")
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                answer = self._answers.get("dot", b"250 taken")
            if answer is None:
                return
            writer.write(answer + b"\r\n")


def test_no_answer_at_the_end(engine: Engine, url: str, box: Mailbox, ann: str) -> None:
    """A server that hangs up at the dot may have the mail: again only on demand, by the same id."""
    end(engine)
    script = Script(data=b"354 go on", dot=None)
    with listening.listening(script) as server:
        outcome = emit(url, f"smtp://127.0.0.1:{server.port}")
    assert outcome.status == "unsure"
    assert outcome.answer
    (named,) = outcome.answer["newly_unsure"]
    (handed,) = script.mails
    smtp = f"smtp://127.0.0.1:{box.port}"
    waiting = emit(url, smtp)
    assert (waiting.status, waiting.answer and waiting.answer["unsure"]) == ("nothing", 1)
    assert box.mails == []
    assert emit(url, smtp, {"resend": "unsure"}).status == "sent"
    (mail,) = box.mails
    assert mail["Message-ID"].encode() in handed
    assert str(mail["Date"]).encode() in handed
    assert named.startswith(f"{mail['Message-ID']} to {ann}: ")
    assert mails(engine) == [(ann, "sent", 0)]


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data"])
def test_hanging_up_before_the_end(
    engine: Engine, url: str, box: Mailbox, ann: str, verb: str
) -> None:
    """Before the dot no server has the mail: it is put off, and sent later."""
    end(engine)
    script = Script(**{verb: None})
    with listening.listening(script) as server:
        outcome = emit(url, f"smtp://127.0.0.1:{server.port}")
    assert (outcome.status, mails(engine)) == ("delayed", [(ann, "pending", 1)])
    assert script.heard[-1] == verb.upper()
    pass_time(engine)
    assert emit(url, f"smtp://127.0.0.1:{box.port}").status == "sent"


def test_a_sender_whom_it_does_not_want(engine: Engine, url: str, ann: str) -> None:
    """5xx to the sender is no mail's fault: no other mail is burnt, and the job fails."""
    add_subscriber(engine, BOB, ["runs"])
    end(engine)
    script = Script(mail=b"550 you again")
    with listening.listening(script) as server:
        outcome = emit(url, f"smtp://127.0.0.1:{server.port}")
    assert outcome.status == "error"
    assert "you again" in (outcome.error or "")
    assert script.heard.count("MAIL") == 1
    assert mails(engine) == [(ann, "pending", 1), (BOB, "pending", 0)]


def test_lines_that_begin_with_a_dot(engine: Engine, url: str, box: Mailbox, ann: str) -> None:
    """They arrive as they are, and end no mail."""
    fail(engine, command=".", error="..\n.")
    assert emit(url, f"smtp://127.0.0.1:{box.port}").status == "sent"
    (mail,) = box.mails
    body = mail.get_body(("plain",))
    assert body is not None
    assert ".: 1 job failed: .. ." in body.get_content()
