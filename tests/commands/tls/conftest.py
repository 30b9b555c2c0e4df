"""Authorities, a name server and bystanders for the tests of `tls`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.environment import Environment
from demo.behaviours import answers, fails, nodata, silent
from demo.nameserver import NameServer, running_nameserver
from demo.script import Script
from tests.commands.tls.servers import Authorities
from tests.services import listening
from tests.services.listening import Listener

SCRIPT = Script(
    {
        "*.example.com": answers(A="127.0.0.1"),
        "mixed.example.com": answers(A=("9.9.9.9", "127.0.0.1")),
        "mixed6.example.com": answers(A="9.9.9.9", AAAA="::1"),
        "nodata.example.com": nodata(),
        "servfail.example.com": fails("SERVFAIL"),
        "refused.example.com": fails("REFUSED"),
        "silent.example.com": silent(),
    }
)


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    """Give the authorities of the tests."""
    return Authorities()


@pytest.fixture(scope="module")
def ca_file(authorities: Authorities, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a file with those that are trusted."""
    return authorities.ca_file(tmp_path_factory.mktemp("authorities"))


@pytest.fixture(scope="module")
def nameserver() -> Iterator[NameServer]:
    """Give a name server that puts every name on this machine."""
    with running_nameserver(SCRIPT) as server:
        yield server


@pytest.fixture
def environment(nameserver: NameServer) -> Environment:
    """Give an environment in which the loopback interface is allowed."""
    return Environment(nameservers=(nameserver.address,), allow_private_addresses=True)


@pytest.fixture
def bystander() -> Iterator[Listener]:
    """Give a server of this machine that nobody is to connect to."""
    with listening.listening(listening.silent) as server:
        yield server
