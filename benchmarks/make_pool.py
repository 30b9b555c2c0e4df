"""
Make Rollcall's work pool on the server that PREFECT_API_URL names, and its queues in RabbitMQ.

As `make deploy`, but without the deployments: one of them starts a flow run every minute.
"""

from __future__ import annotations

from prefect.client.orchestration import get_client

from deployments.pool import declare_queues, make_pool, make_work_queues
from tasks.settings import Settings


def main() -> None:
    """Make them."""
    settings = Settings()
    assert settings.amqp_url is not None
    with get_client(sync_client=True) as client:
        make_pool(client)
        declare_queues(settings.amqp_url, make_work_queues(client))


if __name__ == "__main__":
    main()
