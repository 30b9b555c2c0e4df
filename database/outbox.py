"""
The outbox: each mail is a row, and its state says how far it has come.

    pending     waits until it is due
    sending     somebody has claimed it; no server has it yet
    handing     a server may have it from now on
    sent        a server has taken it
    failed      a server has refused it for good
    unsure      nobody can say whether a server has taken it

Whoever sends has a claim of their own, and each step holds only while the claim does: so two never
hand over one mail. Where a claim has ended, a `sending` mail was given to nobody and is free again.
Of a `handing` one nobody can know: it is left as `unsure`, until somebody says to send it again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, Row, and_, delete, exists, func, select, update

from database.engine import reading, transaction
from database.tables import now, outbox

#: How long a claim holds: longer than a server takes to answer all steps for one mail.
LEASE = timedelta(minutes=5)
#: How long a mail that is done with is kept, for those who ask.
KEPT = timedelta(days=30)
_DONE = ("sent", "failed", "unsure")
_DIED = "its sender ended while it was handed over: the server may have taken it"


def tidy_outbox(engine: Engine) -> list[str]:
    """
    Take back claims that have ended, and forget what was done with long ago.

    Returns:
        What is unsure since now: message id and address, each in one text.
    """
    with reading(engine) as connection:
        late = outbox.c.state.in_(("sending", "handing", *_DONE)) & (outbox.c.due_at <= now())
        if not connection.execute(select(exists(select(outbox).where(late)))).scalar_one():
            return []
    with transaction(engine) as connection:
        connection.execute(delete(outbox).where(outbox.c.state.in_(_DONE), _is_due()))
        free: dict[str, Any] = {"state": "pending", "claim": None, "tries": outbox.c.tries + 1}
        connection.execute(
            update(outbox).where(outbox.c.state == "sending", _is_due()).values(free)
        )
        unsure = (
            update(outbox)
            .where(outbox.c.state == "handing", _is_due())
            .values(state="unsure", due_at=now() + KEPT, error=_DIED)
            .returning(outbox.c.message_id, outbox.c.address)
        )
        return [f"{message_id} to {address}" for message_id, address in connection.execute(unsure)]


def send_again(engine: Engine, state: str) -> int:
    """Let mails of a state, `unsure` or `failed`, be sent again; returns how many there are."""
    again = {"state": "pending", "due_at": now(), "claim": None, "tries": 0}
    with transaction(engine) as connection:
        return connection.execute(
            update(outbox).where(outbox.c.state == state).values(again)
        ).rowcount


def any_due(engine: Engine) -> bool:
    """Say whether a mail can be claimed."""
    found = exists(select(outbox).where(outbox.c.state == "pending", _is_due()))
    with reading(engine) as connection:
        return bool(connection.execute(select(found)).scalar_one())


def claim_mail(engine: Engine) -> Row[Any] | None:
    """Claim the mail that has waited longest, for `LEASE`; None where none is due."""
    waiting = (
        select(outbox.c.id)
        .where(outbox.c.state == "pending", _is_due())
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with transaction(engine) as connection:
        found = connection.execute(waiting).scalar()
        if found is None:
            return None
        claim = {"state": "sending", "claim": uuid4(), "due_at": now() + LEASE}
        claimed = update(outbox).where(outbox.c.id == found).values(claim).returning(outbox)
        return connection.execute(claimed).one()


def hand_over(engine: Engine, mail: int, claim: UUID) -> bool:
    """Note that the server may have the mail from now on; False where the claim has ended."""
    return _moved(engine, mail, claim, ("sending",), {"state": "handing", "due_at": now() + LEASE})


def mark_sent(engine: Engine, mail: int, claim: UUID) -> bool:
    """Note that the server took it."""
    at = now()
    done = {"state": "sent", "sent_at": at, "due_at": at + KEPT, "error": None}
    return _moved(engine, mail, claim, ("handing", "unsure"), done)


def mark_failed(engine: Engine, mail: int, claim: UUID, error: str) -> bool:
    """Note that the server refused it for good."""
    done = {"state": "failed", "due_at": now() + KEPT, "error": error}
    return _moved(engine, mail, claim, ("sending", "handing"), done)


def mark_unsure(engine: Engine, mail: int, claim: UUID, error: str) -> bool:
    """Note that the server has it, and did not say whether it takes it."""
    done = {"state": "unsure", "due_at": now() + KEPT, "error": error}
    return _moved(engine, mail, claim, ("handing",), done)


def put_off(engine: Engine, mail: int, claim: UUID, error: str, until: datetime) -> bool:
    """Note that the server did not take it, and when to try again."""
    later = {"state": "pending", "due_at": until, "claim": None, "error": error}
    later["tries"] = outbox.c.tries + 1
    return _moved(engine, mail, claim, ("sending", "handing"), later)


def outbox_counts(engine: Engine) -> dict[str, int]:
    """Return how many mails wait to be sent (`pending`) or for a decision (`unsure`)."""
    statement = select(outbox.c.state, func.count()).where(
        outbox.c.state.in_(("pending", "unsure"))
    )
    with reading(engine) as connection:
        found = connection.execute(statement.group_by(outbox.c.state)).tuples().all()
    return {"pending": 0, "unsure": 0} | dict(found)


def _moved(
    engine: Engine, mail: int, claim: UUID, before: tuple[str, ...], after: dict[str, Any]
) -> bool:
    mine = and_(outbox.c.id == mail, outbox.c.claim == claim, outbox.c.state.in_(before))
    with transaction(engine) as connection:
        return connection.execute(update(outbox).where(mine).values(after)).rowcount > 0


def _is_due() -> Any:
    return outbox.c.due_at <= now()
