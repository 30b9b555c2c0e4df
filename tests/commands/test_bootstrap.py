"""The list of RDAP servers is downloaded seldom, kept safely, and old rather than missing."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.environment import Environment
from commands.errors import ServersUnknown
from commands.net.fetch import Fetcher
from commands.registration import bootstrap
from commands.registration.bootstrap import DAY, forget, rdap_servers, server_of
from commands.registration.copies import parse_list
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.registering import ask, surroundings
from tests.services.registry import CUT, SILENCE, Registry, Reply, running_registry

LIST = {
    "version": "1.0",
    "services": [
        [["com", "NET."], ["http://plain.test/rdap", "https://safe.test/rdap"]],
        [["co.example", "example"], ["http://example.test/"]],
        [["sub.co.example"], ["http://sub.test/"]],
    ],
}
SERVERS = {
    "com": "https://safe.test/rdap/",
    "net": "https://safe.test/rdap/",
    "co.example": "http://example.test/",
    "example": "http://example.test/",
    "sub.co.example": "http://sub.test/",
}
NEWER = {"services": [[["org"], ["http://org.test/"]]]}
TAGGED = Reply(body=LIST, headers={"ETag": '"first"'})
GARBAGE = (
    *(b"<html>", b"[" * 100_000, [], {}),
    *({"services": what} for what in ([], None, ["com"], [[["com"], []]], [[["com"], [7]]])),
)


@pytest.fixture(scope="module")
def nameserver() -> Iterator[NameServer]:
    """Give a name server."""
    with running_nameserver(Script({})) as server:
        yield server


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give the server of the list."""
    with running_registry() as server:
        server.say("/dns.json", TAGGED)
        yield server


@pytest.fixture
def environment(nameserver: NameServer, tmp_path: Path) -> Iterator[Environment]:
    """Give an environment with a folder that is not there yet, in a process that knows nothing."""
    forget()
    yield surroundings(nameserver, cache_folder=tmp_path / "kept" / "here")
    forget()


def get(registry: Registry, environment: Environment, *, at_once: int = 1) -> dict[str, str]:
    """Have the list, as so many batches at once would."""

    async def work() -> dict[str, str]:
        async with Fetcher(environment) as fetcher:
            url = f"{registry.url()}dns.json"
            asking = (rdap_servers(url, environment.cache_folder, fetcher) for _ in range(at_once))
            first, *others = await asyncio.gather(*asking)
        assert all(other == first for other in others)
        return dict(first)

    return asyncio.run(work())


def kept(environment: Environment) -> Path:
    """Return the only file of the folder."""
    assert environment.cache_folder
    (path,) = environment.cache_folder.iterdir()
    return path


def age(path: Path) -> None:
    """Make a file older than a day."""
    then = time.time() - DAY - 1
    os.utime(path, (then, then))


def test_batches_download_it_once(registry: Registry, environment: Environment) -> None:
    """However many batches ask at once or later, the process downloads one list."""
    assert get(registry, environment, at_once=20) == SERVERS
    assert get(registry, environment, at_once=20) == SERVERS
    assert registry.paths() == ["/dns.json"]


def test_a_copy_is_good_for_a_day(registry: Registry, environment: Environment) -> None:
    """Another process finds the copy of the first and asks nobody."""
    get(registry, environment)
    forget()
    assert get(registry, environment) == SERVERS
    assert registry.paths() == ["/dns.json"]


def test_an_old_copy_is_asked_about(registry: Registry, environment: Environment) -> None:
    """After a day the server is asked whether the list has changed; if not, the copy stays."""
    get(registry, environment)
    age(kept(environment))
    forget()
    registry.say("/dns.json", Reply(status=304))
    assert get(registry, environment) == SERVERS
    assert [request.headers.get("if-none-match") for request in registry.requests] == [
        None,
        '"first"',
    ]
    assert time.time() - kept(environment).stat().st_mtime < DAY
    forget()
    assert get(registry, environment) == SERVERS
    assert len(registry.requests) == 2


def test_a_changed_list_replaces_the_copy(registry: Registry, environment: Environment) -> None:
    """What is downloaded later counts, also for the next process."""
    get(registry, environment)
    age(kept(environment))
    forget()
    registry.say("/dns.json", Reply(body=NEWER))
    expected = {"org": "http://org.test/"}
    assert get(registry, environment) == expected
    forget()
    assert get(registry, environment) == expected
    assert len(registry.requests) == 2


def test_a_long_process_asks_again(
    registry: Registry, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that runs for days, without a folder, asks whether the list has changed."""
    nowhere = Environment(nameservers=environment.nameservers, allow_private_addresses=True)
    monkeypatch.setattr(bootstrap, "DAY", 0.0)
    get(registry, nowhere)
    registry.say("/dns.json", Reply(status=304))
    assert get(registry, nowhere) == SERVERS
    assert registry.requests[1].headers["if-none-match"] == '"first"'


@pytest.mark.parametrize(
    "trouble",
    [CUT, SILENCE, Reply(status=500), Reply(status=301), *(Reply(body=g) for g in GARBAGE)],
)
def test_an_older_copy_is_better_than_none(
    registry: Registry,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Reply | str,
) -> None:
    """Whatever the server does instead of sending a list, the copy is used, and not lost."""
    get(registry, environment)
    age(kept(environment))
    forget()
    registry.say("/dns.json", trouble)
    if trouble == SILENCE:
        monkeypatch.setattr(bootstrap, "DOWNLOAD_SECONDS", 2.0)
    assert get(registry, environment, at_once=5) == SERVERS
    assert get(registry, environment) == SERVERS
    # Not at every batch: the server is left alone for a while.
    assert len(registry.requests) == 2
    assert json.loads(kept(environment).read_text())["servers"] == SERVERS


@pytest.mark.parametrize("trouble", [CUT, Reply(status=404), Reply(body=b"<html>")])
def test_without_list_and_copy_nothing_can_be_checked(
    registry: Registry, environment: Environment, trouble: Reply | str
) -> None:
    """The batch fails in one line that says which list, why, and what to do; and not for ever."""
    registry.say("/dns.json", trouble)
    url = f"{registry.url()}dns.json"
    with pytest.raises(ServersUnknown) as caught:
        ask(["a.com"], environment, {"bootstrap": url})
    assert url in str(caught.value)
    assert "'bootstrap'" in str(caught.value)
    assert "\n" not in str(caught.value)
    registry.say("/dns.json", TAGGED)
    assert get(registry, environment) == SERVERS


def test_a_list_at_a_private_address_is_not_asked_for(
    registry: Registry, environment: Environment
) -> None:
    """The guard holds for the list, too."""
    closed = Environment(nameservers=environment.nameservers)
    with pytest.raises(ServersUnknown, match="not public"):
        get(registry, closed)
    assert registry.requests == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"servers": {}}', '{"servers": {"a": "b"}}'])
def test_a_broken_copy_is_replaced(registry: Registry, environment: Environment, text: str) -> None:
    """A file that holds no copy is as good as none."""
    get(registry, environment)
    path = kept(environment)
    path.write_text(text)
    forget()
    assert get(registry, environment) == SERVERS
    assert json.loads(path.read_text())["servers"] == SERVERS
    assert len(registry.requests) == 2


def test_a_folder_that_cannot_be_is_done_without(
    registry: Registry, environment: Environment, nameserver: NameServer, tmp_path: Path
) -> None:
    """Where no copy can be kept, the process keeps its own."""
    (tmp_path / "file").touch()
    unusual = surroundings(nameserver, cache_folder=tmp_path / "file" / "folder")
    assert get(registry, unusual) == SERVERS
    assert get(registry, unusual) == SERVERS
    assert len(registry.requests) == 1


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("a.com", "https://safe.test/rdap/"),
        ("example", "http://example.test/"),
        ("a.b.example", "http://example.test/"),
        ("a.co.example", "http://example.test/"),
        ("a.sub.co.example", "http://sub.test/"),
        ("a.org", None),
        ("com.org", None),
    ],
)
def test_the_longest_ending_decides(name: str, server: str | None) -> None:
    """A name belongs to the server of the longest listed domain that it lies in."""
    assert server_of(parse_list(json.dumps(LIST)), name) == server


def test_names_without_a_server_are_said_to_be(
    registry: Registry, environment: Environment
) -> None:
    """A domain that no server is listed for has a status of its own; others are asked about."""
    services = [[["com"], [registry.url()]]]
    registry.say("/dns.json", Reply(body={"services": services}))
    registry.say("/domain/a.com", Reply(body={"objectClassName": "domain"}))
    options = {"bootstrap": f"{registry.url()}dns.json"}
    found = ask(["a.com", "b.a.ws"], environment, options)
    statuses = {name: finished.outcome.status for name, finished in found.items()}
    assert statuses == {"a.com": "registered", "b.a.ws": "unsupported-tld"}
    assert found["b.a.ws"].outcome.answer == {"asked": "a.ws"}
    assert registry.paths() == ["/dns.json", "/domain/a.com"]
