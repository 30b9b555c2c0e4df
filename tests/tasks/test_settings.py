"""The settings, from the environment and from `.env`."""

from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.settings import Settings

PASSWORD = "sesame"
URL = f"postgresql+psycopg2://rollcall:{PASSWORD}@127.0.0.1/rollcall"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable with the prefix sets the field that it is named after."""
    monkeypatch.setenv("ROLLCALL_HOME", "/srv/rollcall")
    monkeypatch.setenv("ROLLCALL_DNS_QUERIES_PER_SECOND", "12.5")
    monkeypatch.setenv("ROLLCALL_ALLOW_PRIVATE_ADDRESSES", "yes")
    settings = Settings()
    assert settings.home == Path("/srv/rollcall")
    assert settings.dns_queries_per_second == 12.5
    assert settings.allow_private_addresses
    assert settings.database == "sqlite:////srv/rollcall/rollcall.db"
    assert settings.inbox_folder == Path("/srv/rollcall/inbox")


def test_the_env_file_is_read_and_the_environment_wins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.env` of the working directory counts, where the environment says nothing."""
    (folder / ".env").write_text(
        "ROLLCALL_DNS_IN_FLIGHT=7\nROLLCALL_MAX_FILE_BYTES=8\nOTHERS_SETTING=x\n"
    )
    monkeypatch.setenv("ROLLCALL_DNS_IN_FLIGHT", "9")
    settings = Settings()
    assert (settings.dns_in_flight, settings.max_file_bytes) == (9, 8)


@pytest.mark.parametrize(
    ("value", "servers"),
    [
        ("192.0.2.1", ("192.0.2.1",)),
        ("192.0.2.1,192.0.2.2:5353", ("192.0.2.1", "192.0.2.2:5353")),
        (" 192.0.2.1 , [2001:db8::1]:53 ,", ("192.0.2.1", "[2001:db8::1]:53")),
        ("", ()),
    ],
)
def test_name_servers_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, servers: tuple[str, ...]
) -> None:
    """The order is kept, blanks and empty places are not."""
    monkeypatch.setenv("ROLLCALL_NAMESERVERS", value)
    settings = Settings()
    assert settings.nameservers == servers
    assert settings.environment(second_pass=False).nameservers == servers


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROLLCALL_DNS_IN_FLIGHT", "many"),
        ("ROLLCALL_DNS_IN_FLIGHT", "0"),
        ("ROLLCALL_DNS_IN_FLIGHT", "32001"),
        ("ROLLCALL_DNS_QUERIES_PER_SECOND", "-1"),
        ("ROLLCALL_ALLOW_PRIVATE_ADDRESSES", "perhaps"),
        ("ROLLCALL_MAX_FILE_BYTES", "4 GB"),
        ("ROLLCALL_INBOX_SETTLE_SECONDS", "-0.1"),
    ],
)
def test_a_wrong_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """What a variable cannot be is refused in one line that names it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError) as refused:
        Settings()
    assert variable in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("variable", ["HOME", "DATABASE_URL", "INBOX", "DNS_IN_FLIGHT"])
def test_an_empty_variable_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A variable without a value, as compose files and `.env` have them, leaves the default."""
    default = Settings()
    monkeypatch.setenv(f"ROLLCALL_{variable}", "")
    assert Settings() == default


def test_nothing_that_is_printed_shows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's password is in the URL that is opened, and in no text of the settings."""
    monkeypatch.setenv("ROLLCALL_DATABASE_URL", URL)
    settings = Settings()
    assert settings.database == URL
    for text in (repr(settings), str(settings), settings.model_dump_json()):
        assert PASSWORD not in text


@pytest.mark.parametrize("second_pass", [False, True])
def test_commands_are_told_what_concerns_them(*, second_pass: bool) -> None:
    """What a batch's commands get is the settings' own values, and which pass it is."""
    told = Settings(dns_in_flight=3, dns_queries_per_second=4).environment(second_pass=second_pass)
    found = (told.dns_in_flight, told.dns_queries_per_second, told.second_pass)
    assert found == (3, 4, second_pass)
