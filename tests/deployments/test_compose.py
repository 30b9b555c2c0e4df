"""`docker-compose.yml` and the image: what they promise, read from the files."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest

from tasks.settings import Settings
from tests.deployments.compose import FILE, VARIABLE, file, in_order, services

ROOT = FILE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = file()["services"]
OURS = {"prefect-server", "deploy", "worker"}
REQUIRED = {"POSTGRES_PASSWORD": "sesame1", "RABBITMQ_PASSWORD": "sesame2"}
#: Names of variables whose values nobody may see.
SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|AUTH")


def test_it_is_a_compose_file() -> None:
    """It is what the Compose Specification describes."""
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))
    # Its `$schema` is spelt in a way that jsonschema does not know.
    jsonschema.Draft7Validator.check_schema(schema)
    errors = jsonschema.Draft7Validator(schema).iter_errors(file())
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    """An image has a tag with a major version; ours has the version of the project."""
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"\d+(\.\d+)*(-[a-z]+)?", tag)
    assert (image == "rollcall") == (name in OURS)
    assert image != "rollcall" or tag == PROJECT["project"]["version"]


def test_no_secret_is_written_down() -> None:
    """What is secret, alone or in a URL, is a variable that must be set, and has no default."""
    found = set()
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            secret = value if SECRET.search(name) else urlsplit(value or "").password
            found.add(secret)
            assert secret is None or VARIABLE.fullmatch(secret), name
    assert found == {None, *(f"${{{name}:?}}" for name in REQUIRED)}


def test_a_missing_password_is_an_error() -> None:
    """Nothing starts with an empty password."""
    for missing in REQUIRED:
        with pytest.raises(KeyError, match=missing):
            services({**REQUIRED, missing: ""})


def test_every_variable_is_explained() -> None:
    """The comment at the top names each variable that the file reads, and no other."""
    text = FILE.read_text(encoding="utf-8")
    explained = set(re.findall(r"^#     ([A-Z_]+)=", text, re.MULTILINE))
    read = {found["name"] for found in VARIABLE.finditer(text)}
    handed_through = {
        name
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if value is None and not name.startswith("ROLLCALL_")
    }
    assert explained == read | handed_through


def test_workers_are_told_every_setting() -> None:
    """What `.env.example` explains reaches the workers; the inbox is in their home."""
    told = set(SERVICES["worker"]["environment"])
    assert {f"ROLLCALL_{field}".upper() for field in Settings.model_fields} - told == {
        "ROLLCALL_INBOX"
    }


def test_workers_can_be_many() -> None:
    """Nothing of a worker is there only once, and one that has ended is followed by another."""
    worker = SERVICES["worker"]
    assert not {"container_name", "hostname", "ports"} & set(worker)
    assert '--name "$$HOSTNAME"' in worker["command"]
    assert worker["restart"] == "always"


def test_only_this_machine_is_served() -> None:
    """By default nothing is published to a network."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("${PUBLISHED_ADDRESS:-127.0.0.1}:") for port in ports)


def test_nothing_starts_before_what_it_needs() -> None:
    """The order: servers that can tell their health, then deploy, then workers."""
    found = services(REQUIRED)
    order = [service.name for service in in_order(found)]
    assert order[-2:] == ["deploy", "worker"]
    waited_for = {pair for service in found.values() for pair in service.depends_on.items()}
    assert all(found[name].check for name, how in waited_for if how == "service_healthy")
    assert ("deploy", "service_completed_successfully") in waited_for


def test_every_service_is_bounded() -> None:
    """No log fills the disk, and nobody gains rights."""
    for service in SERVICES.values():
        assert {"max-size", "max-file"} <= set(service["logging"]["options"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"]


def test_the_image_holds_what_is_installed() -> None:
    """Each folder of our distribution gets into the image's build, and of the rest only little."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= kept
    assert not kept & {".", ".git", ".env", "tests"}


def test_the_image_runs_as_nobody_special() -> None:
    """Its base is pinned, its distributions are those of the lock, its user is not root."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:3.11-slim-bookworm"}
    assert "--require-hashes" in text
    assert re.findall(r"^USER (\w+)", text, re.MULTILINE) == ["rollcall"]
