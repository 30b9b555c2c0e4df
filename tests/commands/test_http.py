"""What each kind of web server makes of a name, over HTTP without TLS."""

from collections.abc import Iterator
from typing import Any

import pytest

from commands.environment import Environment
from commands.registry import command_named, make
from demo.behaviours import answers, fails, nodata, nxdomain, silent
from demo.script import Script
from tests.commands.sites import SITES, answer
from tests.commands.stage import Stage, running_stage
from tests.services.processes import free_port
from tests.services.web import Listener, running_web

HERE = answers(A="127.0.0.1")
SCRIPT = Script(
    {
        "gone.net": nxdomain(),
        "empty.net": nodata(),
        "servfail.net": fails("SERVFAIL"),
        "silent.net": silent(),
        "both.net": answers(A=("127.0.0.9", "127.0.0.1")),
        "*.org": HERE,
        "*.net": HERE,
    }
)


@pytest.fixture(scope="module")
def web() -> Iterator[Listener]:
    """Give a web server that is all sites."""
    with running_web(answer) as running:
        yield running


@pytest.fixture(scope="module")
def stage(web: Listener) -> Iterator[Stage]:
    """Give a name server by which names lead to it."""
    with running_stage(SCRIPT, scheme="http", http_port=web.port) as running:
        yield running


@pytest.mark.parametrize("name", [n for n, site in SITES.items() if site.status != "timeout"])
def test_a_site_gets_its_status(stage: Stage, web: Listener, name: str) -> None:
    """Whatever a server does, its name gets the one status for that, and a word why."""
    before = web.connections
    outcome = stage.outcome(name)
    site = SITES[name]
    assert outcome.status == site.status, outcome
    said = outcome.error or (outcome.answer or {})["title"] or ""
    assert site.says in said
    assert web.connections - before == site.connections
    if outcome.answer:
        assert outcome.answer["body_bytes"] <= 65_536


def test_slow_sites_delay_nobody(stage: Stage) -> None:
    """In one batch, servers that are too slow get their own status, and all others theirs."""
    # Less than the silence after which a site is given up anyway.
    checked = stage.check(*SITES, timeout_seconds=9.0)
    assert checked.statuses == {name: site.status for name, site in SITES.items()}
    for name, outcome in checked.outcomes.items():
        if outcome.status == "timeout":
            assert SITES[name].says in str(outcome.error)


def test_every_status_is_met() -> None:
    """The sites, and the other tests of this command, meet every status that it lists."""
    elsewhere = {"refused", "tls-error", "error"}
    assert {site.status for site in SITES.values()} | elsewhere == set(
        command_named("http").statuses
    )


def test_an_answer_tells_what_was_found(stage: Stage, web: Listener) -> None:
    """The answer has the last page's URL and what it said, and the way to it."""
    outcome = stage.outcome("moved.org")
    port = web.port
    answer = dict(outcome.answer or {})
    assert answer.pop("ttfb_ms") == pytest.approx(outcome.latency_ms, abs=0.001)
    assert answer == {
        "url": f"http://ok.org:{port}/",
        "status_code": 200,
        "http_version": "HTTP/1.1",
        "title": "A page",
        "server": None,
        "address": "127.0.0.1",
        "hops": [{"url": f"http://moved.org:{port}/", "status_code": 302}],
        "body_bytes": 47,
    }
    assert outcome.decided_by == "127.0.0.1"
    assert outcome.error is None


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("gone.net", "no-address"),
        ("empty.net", "no-address"),
        ("servfail.net", "error"),
        ("silent.net", "timeout"),
    ],
)
def test_a_name_without_address_is_told_from_silence(stage: Stage, name: str, status: str) -> None:
    """What is not in DNS has no address; what a name server fails to say is not known."""
    outcome = stage.outcome(name)
    assert outcome.status == status
    assert name in str(outcome.error)


def test_a_closed_port_refuses(stage: Stage) -> None:
    """Where nothing listens the name is refused, with the address and the port."""
    port = free_port()
    outcome = stage.outcome("ok.org", http_port=port)
    assert outcome.status == "refused"
    assert f"127.0.0.1 port {port}" in str(outcome.error)


def test_http_is_tried_where_https_is_refused(stage: Stage) -> None:
    """By default a site without HTTPS is found by HTTP, and the answer tells of the attempt."""
    outcome = stage.outcome("ok.org", scheme="https-then-http", https_port=free_port())
    assert outcome.status == "ok"
    (hop,) = (outcome.answer or {})["hops"]
    assert hop["url"].startswith("https://ok.org:")
    assert "refused" in hop["error"].lower()


def test_https_alone_is_not_got_round(stage: Stage) -> None:
    """With HTTPS only, a site without it is refused."""
    assert stage.outcome("ok.org", scheme="https", https_port=free_port()).status == "refused"


def test_the_next_address_is_tried(stage: Stage) -> None:
    """A host with several addresses of which one is dead is found at the other."""
    outcome = stage.outcome("both.net", path="/page")
    assert outcome.status == "ok"
    assert outcome.decided_by == "127.0.0.1"


def test_an_address_without_a_way_is_an_error(stage: Stage) -> None:
    """What the machine itself cannot connect to says nothing about the host."""
    # Connecting to a broadcast address is forbidden by the kernel.
    outcome = stage.outcome("255.255.255.255")
    assert outcome.status == "error"
    assert "255.255.255.255" in str(outcome.error)


@pytest.mark.parametrize(
    "name", ["", "a b.org", "ok.org:80", "ok.org/page", "u@ok.org", "[::1", "ok.org#", "ok.org?x"]
)
def test_what_is_no_host_is_not_asked_for(stage: Stage, web: Listener, name: str) -> None:
    """A payload that would be more of a URL than a host is an error; nobody is connected to."""
    before = web.connections
    assert stage.outcome(name).status == "error"
    assert web.connections == before


def test_nothing_is_read_of_a_head(stage: Stage) -> None:
    """With HEAD the server is asked for no body, and there is none."""
    outcome = stage.outcome("ok.org", method="HEAD")
    assert outcome.status == "ok"
    assert (outcome.answer or {})["body_bytes"] == 0


def test_redirects_can_be_left_alone(stage: Stage) -> None:
    """Without hops a redirect is what the name is."""
    outcome = stage.outcome("moved.org", max_hops=0)
    assert outcome.status == "redirect"
    assert (outcome.answer or {})["status_code"] == 302


@pytest.mark.parametrize(
    "options",
    [
        {"path": "page"},
        {"path": "/a b"},
        {"path": "/a\r\nX: y"},
        {"path": "/#a"},
        {"path": "/ü"},
        {"user_agent": ""},
        {"user_agent": "a\r\nX: y"},
        {"scheme": "ftp"},
        {"method": "POST"},
        {"ports": [0]},
        {"max_hops": -1},
        {"max_body_bytes": -1},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """No option can put anything else into a request."""
    with pytest.raises(Exception, match=f"option '{next(iter(options))}"):
        make("http", options, Environment())
