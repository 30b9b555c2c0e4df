"""Result files: what is in them, and what happens where one cannot be written."""

import csv
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from database.batches import Stage
from database.engine import open_database
from database.results import FILE_COLUMNS, save_results
from tasks.errors import InputError, OutputError
from tasks.export import check_result_file, write_result_file
from tests.database.rows import CHECKED_AT, make_stage, result

ENDINGS = [".csv", ".jsonl", ".parquet", ".CSV"]
#: In the order of the file, which is neither that of the slots nor of the names.
DOMAINS = [(9, "wikipedia.org"), (2, "archive.org"), (5, "xn--mnchen-3ya.de")]
CHECKED = datetime.fromtimestamp(CHECKED_AT, UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give an empty database."""
    opened = open_database(f"sqlite:///{tmp_path / 'rollcall.db'}")
    yield opened
    opened.dispose()


@pytest.fixture
def stage(engine: Engine) -> Stage:
    """Give a run of two checks over three domains."""
    made = make_stage(engine, DOMAINS)
    broken = {"status": "error", "answer": None, "error": 'a "quoted", b\nc', "decided_by": None}
    hosts = [result(DOMAINS[0]), result(DOMAINS[1], **broken), result(DOMAINS[2], attempts=2)]
    save_results(engine, made.run, "host", reversed(hosts))
    save_results(engine, made.run, "host-program", [result(key) for key in DOMAINS])
    return made


def expected() -> list[dict[str, Any]]:
    """List what is in the run, as the formats that know types say it."""
    address = {
        "status": "resolves",
        "answer": {"a": ["192.0.2.1"]},
        "error": None,
        "attempts": 1,
        "decided_by": "127.0.0.1:53",
        "latency_ms": 1.5,
        "checked_at": CHECKED,
        "change": None,
    }
    rows = [
        {"domain": name, "check": check, **address}
        for _, name in DOMAINS
        for check in ("host", "host-program")
    ]
    rows[2] |= {"status": "error", "answer": None, "error": 'a "quoted", b\nc', "decided_by": None}
    rows[4] |= {"attempts": 2}
    return rows


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Read a CSV file, with an empty cell for what is not there."""
    types: dict[str, Callable[[str], Any]] = {
        "answer": json.loads,
        "attempts": int,
        "latency_ms": float,
        "checked_at": datetime.fromisoformat,
    }
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {key: types.get(key, str)(cell) if cell else None for key, cell in row.items()}
            for row in csv.DictReader(stream)
        ]


def read(path: Path) -> list[dict[str, Any]]:
    """Read a result file of any format."""
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [row | {"checked_at": datetime.fromisoformat(row["checked_at"])} for row in rows]
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return [row | {"answer": json.loads(row["answer"] or "null")} for row in found]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_says_the_same(
    engine: Engine, stage: Stage, tmp_path: Path, ending: str
) -> None:
    """Each format gives the rows of both checks, in the order of the uploaded file."""
    path = tmp_path / f"results{ending}"
    assert write_result_file(engine, stage.run, path) == 6
    found = read(path)
    assert [tuple(row) for row in found] == [FILE_COLUMNS] * 6
    assert found == expected()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_formulas_are_disarmed(engine: Engine, stage: Stage, tmp_path: Path, text: str) -> None:
    """No cell of a CSV file is taken for a formula; the formats without formulas keep the text."""
    save_results(engine, stage.run, "mail", [result(DOMAINS[0], error=text)])
    paths = [tmp_path / f"results{ending}" for ending in ENDINGS[:3]]
    for path in paths:
        write_result_file(engine, stage.run, path)
    errors = [next(row["error"] for row in read(path) if row["check"] == "mail") for path in paths]
    assert errors == [f"'{text}", text, text]


def test_a_result_file_is_as_readable_as_any_other(
    engine: Engine, stage: Stage, tmp_path: Path
) -> None:
    """Its permissions follow the umask, also where it replaces a file."""
    path = tmp_path / "results.csv"
    for umask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        try:
            write_result_file(engine, stage.run, path)
        finally:
            os.umask(before)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_the_name_may_be_as_long_as_a_name_can_be(
    engine: Engine, stage: Stage, tmp_path: Path
) -> None:
    """A file name of 255 bytes, the longest there is, can be written."""
    path = tmp_path / f"{'n' * 251}.csv"
    check_result_file(path)
    assert write_result_file(engine, stage.run, path) == 6


@pytest.mark.parametrize("name", ["results", "results.docx", "results.csv.gz", ".csv"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    """A name that says no format is refused, with those that there are."""
    with pytest.raises(InputError, match=r"must end in one of \.csv, \.jsonl, \.parquet"):
        check_result_file(tmp_path / name)


def test_a_place_for_no_file_is_refused(tmp_path: Path) -> None:
    """A folder in the place of the file, and a file in the place of its folder, are refused."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        check_result_file(tmp_path / "folder.csv")
    with pytest.raises(InputError, match="cannot be made"):
        check_result_file(tmp_path / "file" / "results.csv")


def test_the_folder_is_made(tmp_path: Path) -> None:
    """A folder that is not there yet is made, with those above it."""
    check_result_file(tmp_path / "a" / "b" / "results.csv")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_the_folder_may_vanish(engine: Engine, stage: Stage, tmp_path: Path) -> None:
    """Where the folder is gone when the file is written, one line says which and why."""
    path = tmp_path / "gone" / "results.csv"
    with pytest.raises(OutputError, match=r"results\.csv cannot be written: No such file"):
        write_result_file(engine, stage.run, path)


#: Writes more than the disk holds, over a file that is there.
ON_A_FULL_DISK = """
import sys
from pathlib import Path
from database.engine import open_database
from tasks.errors import OutputError
from tasks.export import write_result_file

engine, run, path = open_database(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
try:
    write_result_file(engine, run, path)
except OutputError as error:
    print(error)
print(sorted(entry.name for entry in path.parent.iterdir()), path.read_text())
"""


@pytest.mark.parametrize("ending", ENDINGS[:3])
def test_a_file_appears_whole_or_not_at_all(engine: Engine, tmp_path: Path, ending: str) -> None:
    """On a full disk the file that was there stays as it was, nothing is left beside it."""
    domains = [(n, f"{os.urandom(16).hex()}.org") for n in range(6_000)]
    stage = make_stage(engine, domains)
    save_results(engine, stage.run, "host", [result(key) for key in domains])
    disk = tmp_path / "disk"
    disk.mkdir()
    path = disk / f"results{ending}"
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1" && printf before > "$2" && shift && shift'
    url = f"sqlite:///{tmp_path / 'rollcall.db'}"
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    command += [str(disk), str(path), sys.executable, "-c", ON_A_FULL_DISK]
    done = subprocess.run(
        [*command, url, str(stage.run), str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, left = done.stdout.splitlines()
    why = "No space left on device; run it again when it can"
    assert said == f"the result file {path} cannot be written: {why}"
    assert left == f"['results{ending}'] before"
