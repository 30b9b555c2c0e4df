"""A public server cannot lead `rdap` into a private network."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: In a network of its own, which leads nowhere, a public address may be ours.
PUBLIC = "9.9.9.9"
CODE = """
import json, sys
from demo.behaviours import answers
from demo.nameserver import running_nameserver
from demo.script import Script
from tests.commands.registering import ask, surroundings
from tests.services.registry import Reply, running_registry

public = sys.argv[1]
script = {"public.test": answers(A=public), "private.test": answers(A="127.0.0.1"),
          "mixed.test": answers(A=(public, "10.0.0.1"))}
with running_nameserver(Script(script)) as nameserver, running_registry() as private, \\
        running_registry(public) as registry:
    environment = surroundings(nameserver, allow_private_addresses=False)
    for n, host in enumerate(["127.0.0.1", "private.test", "mixed.test", "[::ffff:7f00:1]"]):
        port = registry.port if host == "mixed.test" else private.port
        there = f"http://{host}:{port}/domain/found.com"
        registry.say(f"/domain/to{n}.com", Reply(status=302, headers={"Location": there}))
    for server in (private, registry):
        server.say("/domain/found.com", Reply(body={"objectClassName": "domain"}))
    names = ["found.com", *(f"to{n}.com" for n in range(4))]
    found = ask(names, environment, {"server": registry.url("public.test")})
    print(json.dumps({name: one.outcome.status for name, one in found.items()}))
    print(len(private.requests), sorted(registry.paths()))
"""


def test_redirects_to_private_addresses_are_blocked() -> None:
    """Each hop is looked at: by address, by name, by one of several addresses, in any spelling."""
    network = 'ip link set lo up && ip address add "$1/32" dev lo && shift && exec "$@"'
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", network, "sh", PUBLIC]
    done = subprocess.run(
        [*command, sys.executable, "-c", CODE, PUBLIC],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statuses, seen = done.stdout.splitlines()
    redirected = {f"to{n}.com" for n in range(4)}
    assert json.loads(statuses) == {"found.com": "registered"} | dict.fromkeys(
        redirected, "blocked"
    )
    asked = sorted(f"/domain/{name}" for name in {"found.com", *redirected})
    assert seen == f"0 {asked}"
