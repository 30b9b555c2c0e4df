"""The main flow: a file of domains in, who answers out."""

from typing import Any, Literal

from prefect import flow
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.batch import MOST_UNDER_WAY
from tasks.checks import check_all
from tasks.lists import load_list
from tasks.nodes import CheckParameter
from tasks.notices import NotifyParameter, tell
from tasks.overlap import Overlap, Skipped, take_turn
from tasks.run import EXPECTED, begin, check_share, final_state, finish, refused
from tasks.runner import batches_to
from tasks.source import Request

Format = Literal["detect", "names", "csv", "hosts", "adblock", "zone"]


@flow(
    name="check-domains",
    description="Upload a list of domain names; see who answers.",
    task_runner=ThreadPoolTaskRunner(max_workers=MOST_UNDER_WAY),  # type: ignore[arg-type]
)
def check_domains(  # noqa: PLR0913, PLR0917 - the run form's fields
    file: str = "",
    checks: list[CheckParameter] = ["host"],  # noqa: B006 - the run form shows it, and nobody changes it
    domains: str = "",
    work_queue: str = "default",
    out: str = "",
    format: Format = "detect",  # noqa: A002 - the word that users know
    column: str = "",
    fail_above: float = 1.0,
    overlap: Overlap = "run",
    notify: list[NotifyParameter] = [],  # noqa: B006 - see above
) -> Any:
    """
    Load a list, check every domain of it, report.

    A retried run goes on where it stopped: no domain that has its result is checked again.

    Args:
        file: A path on the machine that runs the flow, an http(s) URL, or `list:<id>` for a list
            that was loaded before; `list:latest` for the newest one.
        checks: What is done with each domain: names of commands, or nodes of a DAG. In this form
            each as JSON: `"host"`, or `{"check": "http", "needs": ["host"], "when": "resolves",
            "options": {"path": "/health"}}`.
        domains: Instead of a file: the names themselves, one a line.
        work_queue: The work queue that the batches wait in: `high` overtakes `default`.
        out: The result file; its ending says what it is: .csv, .jsonl or .parquet. Empty: a CSV
            file in the folder `results` of ROLLCALL_HOME.
        format: How the file is read; name it where the detection is wrong.
        column: Which column of a table holds the names: its number from 1, or its header. Empty:
            detected.
        fail_above: The run fails when a larger share of what a check looked at stays unknown:
            0.05 is one in twenty, 1 never.
        overlap: What this run does while an earlier run of the same list is under way: `run`
            beside it, `wait` for its end, or `skip`.
        notify: Who is told how it ended, each as JSON: `"mailto:ann@example.org"`, a block
            (`"block:slack-webhook/ours"`), a URL of Apprise's, or `{"to": …, "on": ["changed",
            "failed"], "template": …}`.

    Returns:
        The final state; its message is one sentence: the result, or what to mend.
    """
    request = Request(file=file, domains=domains, format=format, column=column)
    try:
        check_share(fail_above)
        with begin(request, checks, out, notify) as job:
            stored = load_list(job.run, job.source, job.settings)
            take_turn(job.run, stored, overlap, job.settings)
            with batches_to(work_queue, job.settings) as submit:
                check_all(job.run, stored, job.plan, job.settings, submit)
            state = final_state(finish(job, stored), fail_above)
    except Skipped as reason:
        return Completed(name="Skipped", message=str(reason))
    except EXPECTED as error:
        get_run_logger().error("%s", error)
        state = Failed(name="Refused" if refused(error) else "Failed", message=str(error))
    except Exception as error:
        tell(notify, Failed(message=f"{type(error).__name__}: {error}"))
        raise
    tell(notify, state)
    return state
