"""Feeds reach an HTTP endpoint that fails, is slow and drops connections."""

import email.utils
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.cron_frame.receiver import (
    Receiver,
    Talk,
    answers,
    cuts,
    receiving,
    silent,
    slowly,
)
from tests.commands.cron_frame.shop import Shop, export, offers
from tests.services.processes import free_port

#: More than what the kernel takes for a server that does not read.
MANY = 1_500
SECRET = "open-sesame"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Give a shop with a few goods."""
    found = Shop(tmp_path)
    found.sell([{}, {"price": "19.90"}, {"name": "Teapot"}])
    return found


def large(shop: Shop) -> None:
    """Let it have goods for a feed of some megabytes."""
    shop.sell({"description": f"{n} " + "long " * 550} for n in range(MANY))


def keys(receiver: Receiver) -> Iterator[str]:
    """List the requests' idempotency keys."""
    return (request.headers["idempotency-key"] for request in receiver.requests)


def test_a_feed_is_put_whole(shop: Shop) -> None:
    """The endpoint gets a valid catalogue with all rows, its length beforehand, and our headers."""
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=f"{receiver.url}/feeds?shop=7", headers={"X-Shop": "7"})
        outcome = export(5, shop.environment())
    (request,) = receiver.requests
    assert outcome.status == "delivered", outcome.error
    assert (request.method, request.target, request.whole) == ("PUT", "/feeds?shop=7", True)
    assert request.headers["x-shop"] == "7"
    assert request.headers["content-type"].startswith("application/xml")
    assert "transfer-encoding" not in request.headers
    assert [one["id"] for one in offers(bytes(request.body))] == ["1", "2", "3"]
    answer = outcome.answer or {}
    assert answer["offers"] == 3
    assert answer["bytes"] == len(request.body)
    assert (answer["frame"], answer["format"], answer["tries"]) == (5, "yml", 1)


def test_post_is_another_method(shop: Shop) -> None:
    """A frame may say so; its own header wins."""
    with receiving(Receiver()) as receiver:
        headers = {"content-type": "application/octet-stream"}
        shop.frame(5, destination=receiver.url, method="POST", headers=headers)
        assert export(5, shop.environment()).status == "delivered"
    assert receiver.requests[0].method == "POST"
    assert receiver.requests[0].headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "failure",
    [answers(503), answers(500, b"oops"), answers(408), cuts(0), cuts(100_000)],
    ids=["503", "500", "408", "closed", "dropped"],
)
def test_what_may_pass_is_tried_again(shop: Shop, failure: Talk) -> None:
    """After a failure the same bytes come again, under the same key."""
    large(shop)
    with receiving(Receiver(failure, answers())) as receiver:
        shop.frame(5, destination=receiver.url, backoff_seconds=0)
        outcome = export(5, shop.environment())
    assert outcome.status == "delivered", outcome.error
    first, second = receiver.requests
    assert second.whole
    assert second.body.startswith(first.body)
    assert len(set(keys(receiver))) == 1
    assert (outcome.answer or {})["tries"] == 2


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_respected(shop: Shop, *, as_date: bool) -> None:
    """The second try comes no sooner than the server has asked for."""
    date = email.utils.formatdate(time.time() + 2, usegmt=True)
    came: list[float] = []
    busy = answers(429, Retry_After=date if as_date else "1")

    def noted(talk: Talk) -> Talk:
        async def serve(*given: object) -> None:
            came.append(time.time())
            await talk(*given)  # type: ignore[arg-type]

        return serve

    with receiving(Receiver(noted(busy), noted(answers()))) as receiver:
        shop.frame(5, destination=receiver.url, backoff_seconds=0)
        assert export(5, shop.environment()).status == "delivered"
    asked = email.utils.parsedate_to_datetime(date).timestamp() if as_date else came[0] + 1
    assert came[1] >= asked


def test_a_longer_wait_than_allowed_is_left_to_the_next_job(shop: Shop) -> None:
    """Who asks for an hour is not waited for."""
    with receiving(Receiver(answers(503, Retry_After="3600"))) as receiver:
        shop.frame(5, destination=receiver.url)
        outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert "3600 s" in str(outcome.error)
    assert len(receiver.requests) == 1


def test_a_slow_server_is_waited_for(shop: Shop) -> None:
    """It gets all, however slowly it reads; each step is within the time."""
    large(shop)
    with receiving(Receiver(slowly)) as receiver:
        shop.frame(5, destination=receiver.url, timeout_seconds=20)
        assert export(5, shop.environment()).status == "delivered"
    assert len(offers(bytes(receiver.requests[0].body))) == MANY


def test_a_silent_server_is_a_time_out(shop: Shop) -> None:
    """Who says nothing in time, in all tries, is a time-out; nothing is left but the export."""
    with receiving(Receiver(silent)) as receiver:
        shop.frame(5, destination=receiver.url, timeout_seconds=2, tries=2, backoff_seconds=0)
        outcome = export(5, shop.environment())
    assert outcome.status == "timeout"
    assert "no answer within 2 s (after 2 tries)" in str(outcome.error)
    assert len(receiver.requests) == 2


def test_nobody_listens(shop: Shop) -> None:
    """A refused connection is tried again, and then an error."""
    shop.frame(5, destination=f"http://127.0.0.1:{free_port()}/", tries=3, backoff_seconds=0)
    outcome = export(5, shop.environment())
    assert outcome.status == "error"
    assert "(after 3 tries)" in str(outcome.error)


@pytest.mark.parametrize("code", [301, 400, 401, 404, 413, 422])
def test_a_refusal_is_final(shop: Shop, code: int) -> None:
    """It is not tried again; the beginning of the server's words is told, without our secret."""
    words = f"no <b>{SECRET}</b>\r\n\x00because {'x' * 9_000}".encode()
    with receiving(Receiver(answers(code, words))) as receiver:
        headers = {"Authorization": "Bearer ${TOKEN}"}
        shop.frame(5, destination=f"{receiver.url}/${{TOKEN}}?key=${{TOKEN}}", headers=headers)
        outcome = export(5, shop.environment(variables={"TOKEN": SECRET}))
    (request,) = receiver.requests
    assert request.target == f"/{SECRET}?key={SECRET}"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert outcome.status == "error"
    error = str(outcome.error)
    assert f"answers {code}" in error
    assert SECRET not in error
    assert "\n" not in error
    if code >= 400:
        assert "no <b>…</b> because xxx" in error
        assert error.count("x") < 210


def test_a_secret_is_nowhere(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the answer, nor in what any library logs, nor in a repr."""
    caplog.set_level(logging.DEBUG)
    with receiving(Receiver(answers(503), answers())) as receiver:
        address = receiver.url.replace("://", f"://ann:{SECRET}@")
        shop.frame(
            5,
            destination=f"{address}/feeds/${{TOKEN}}?key={SECRET}",
            headers={"X-Key": "${TOKEN}"},
            backoff_seconds=0,
        )
        environment = shop.environment(variables={"TOKEN": SECRET})
        outcome = export(5, environment)
    assert outcome.status == "delivered"
    assert receiver.requests[0].headers["authorization"].startswith("Basic ")
    assert (outcome.answer or {})["destination"] == f"{receiver.url}/feeds/${{TOKEN}}"
    for text in (str(outcome), repr(environment), caplog.text):
        assert SECRET not in text


def test_each_export_has_a_key_of_its_own(shop: Shop) -> None:
    """The same content delivered anew is not taken for a repetition of an earlier delivery."""
    with receiving(Receiver()) as receiver:
        shop.frame(5, destination=receiver.url, format="csv")
        for _ in range(2):
            assert export(5, shop.environment()).status == "delivered"
    first, second = receiver.requests
    assert first.body == second.body
    assert len(set(keys(receiver))) == 2


def test_an_unchanged_feed_may_be_left_where_it_is(shop: Shop) -> None:
    """With `skip_unchanged` it is delivered when something has changed, or went wrong before."""
    with receiving(Receiver(answers(), answers(400), answers())) as receiver:
        shop.frame(5, destination=receiver.url, skip_unchanged=True, reuse_seconds=0)
        statuses = [export(5, shop.environment()).status for _ in range(2)]
        shop.execute("UPDATE offers SET price = '1' WHERE id = '1'")
        statuses += [export(5, shop.environment()).status for _ in range(3)]
    assert statuses == ["delivered", "unchanged", "error", "delivered", "unchanged"]
    assert len(receiver.requests) == 3
