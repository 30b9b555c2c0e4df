"""An emitter that is Rollcall's own; what it could not emit it tries again, with the same ids."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from prefect_rabbitmq.errors import BrokerUnreachable, Refused

from tasks.jobs.emit import emit, ordered
from tasks.settings import Settings
from tests.chaos.jobs.emitting import Wanted, emit_parts

#: Seconds between two tries.
AGAIN_SECONDS = 0.5


def send(group: str, wanted: Sequence[Wanted]) -> None:
    """Emit, whatever it takes."""
    orders = [(UUID(id_), ordered("lab-brief", payload, group)) for id_, payload in wanted]
    while True:
        try:
            emit(orders, Settings())
        except (BrokerUnreachable, Refused):
            time.sleep(AGAIN_SECONDS)
        else:
            return


if __name__ == "__main__":
    emit_parts(send)
