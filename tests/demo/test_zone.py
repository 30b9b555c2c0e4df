"""The demo's list and zone fit together."""

from pathlib import Path

import dns.message
import dns.name

from demo.behaviours import SILENCE
from demo.replies import Query, reply
from demo.script import Script
from demo.zone import ZONE

DOMAINS = Path(__file__).parents[2] / "demo" / "domains.txt"
#: Where every status of the check `host` begins.
STATUSES = {"resolves", "nodata", "nxdomain", "servfail", "refused", "timeout", "error"}


def status(script: Script, line: str) -> str:
    """Tell the status that a line should get, if it is a plain name."""
    name = dns.name.from_text(line.encode("idna").decode())
    behaviour = script.behaviour(name)
    if behaviour.trouble_times < 0:
        return {SILENCE: "timeout", "NOTIMP": "error"}.get(
            behaviour.trouble, behaviour.trouble.lower()
        )
    if behaviour.rcode != "NOERROR":
        return behaviour.rcode.lower()
    return "resolves" if behaviour.records.keys() & {"A", "AAAA"} else "nodata"


def plain_names() -> list[str]:
    """List the lines that are names and nothing else."""
    text = DOMAINS.read_text(encoding="utf-8").partition("# No domain names")[0]
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line and not set(line) & set(":@/")]


def test_the_list_has_every_status() -> None:
    """The demo shows each status of the check `host`."""
    assert {status(ZONE, line) for line in plain_names()} >= STATUSES


def test_few_names_are_silent() -> None:
    """Each silent name costs seconds, so there are at most three."""
    assert [status(ZONE, line) for line in plain_names()].count("timeout") <= 3


def test_every_behaviour_can_be_answered() -> None:
    """No name of the list meets a typing error in the zone."""
    for line in plain_names():
        for kind in ("A", "AAAA", "MX", "TXT", "ANY"):
            name = dns.name.from_text(line.encode("idna").decode())
            message = dns.message.make_query(name, kind)
            assert reply(Query(message, name, kind), ZONE.behaviour(name)).to_wire(max_size=65535)
