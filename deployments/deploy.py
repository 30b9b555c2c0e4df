"""
`make deploy`: all that has to be there before the first worker and the first run.

Again changes nothing but the deployments that were edited in `prefect.yaml`: what was set of the
pool and its queues in Prefect's UI stays.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import get_current_settings
from prefect_rabbitmq.errors import RabbitMQError

from deployments.pool import TYPE, declare_queues, make_pool, make_work_queues
from tasks.broker import WORK_POOL
from tasks.errors import InputError
from tasks.settings import Settings

#: What `main` returns: all is there, something broke, a setting cannot be used.
DONE, BROKEN, REFUSED = 0, 1, 2


def main() -> int:
    """Put it on the server that PREFECT_API_URL names; returns the exit code."""
    # It would tell as well, and at length, why it cannot connect.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    try:
        server = _server()
        settings = Settings()
        with get_client(sync_client=True) as client:
            make_pool(client)
            queues = make_work_queues(client)
        print(f"{server}: pool {WORK_POOL} of type {TYPE}, work queues {', '.join(queues)}")
        if settings.amqp_url is not None:
            print(f"RabbitMQ at {declare_queues(settings.amqp_url, queues)}: their queues")
        return _deploy()
    except InputError as error:
        return _fail(str(error), REFUSED)
    except httpx.HTTPError as error:
        reason = " ".join(str(error).split())
        return _fail(f"Prefect's server (PREFECT_API_URL) cannot be used: {reason}", BROKEN)
    except RabbitMQError as error:
        return _fail(f"ROLLCALL_AMQP_URL: {error}", BROKEN)


def _server() -> str:
    """
    Return the API's address.

    Raises:
        InputError: None is set, or there is something else.
    """
    url = get_current_settings().api.url
    if not url:
        raise InputError(
            "to which Prefect server? Set PREFECT_API_URL, e.g. http://127.0.0.1:4200/api"
        )
    with get_client(sync_client=True) as client:
        if not _is_api(client):
            raise InputError(f"PREFECT_API_URL: {url} is no Prefect API; these end in /api")
    return url


def _is_api(client: SyncPrefectClient) -> bool:
    try:
        client.api_version()
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.NOT_FOUND:
            raise
        return False
    except ValueError:  # a page, and no JSON
        return False
    return True


def _deploy() -> int:
    """Put every deployment of `prefect.yaml`, in the working directory, on the server."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        # `prefect.yaml` asks for it, and only shells keep it.
        env={**os.environ, "PWD": str(Path.cwd())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        return _fail(f"`prefect deploy --all` says:\n{done.stdout.strip()}", BROKEN)
    print("Every deployment of prefect.yaml is there")
    return DONE


def _fail(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
