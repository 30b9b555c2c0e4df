"""What surrounds the commands of a batch: the network's settings, given by whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from commands.cron_events.port import Outbox
from commands.locks import LOCAL_LOCKS, Locks
from commands.turns import LOCAL_TURNS, Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The settings that commands share; a command reads no environment variable itself."""

    #: Name servers, each ``ip`` or ``ip:port``; empty for the system's.
    nameservers: tuple[str, ...] = ()
    #: DNS queries under way at once to one name server, over all batches of the process.
    dns_in_flight: int = 500
    #: DNS queries a second to one name server from this process; 0 for no limit.
    dns_queries_per_second: float = 0.0
    #: Whether hosts that a user named may be connected to at addresses of private networks.
    allow_private_addresses: bool = False
    #: Whether this is the late second look at names that were unsure in the first.
    second_pass: bool = False
    #: Whose turn it is to ask a server that is asked slowly; by default this process's own affair.
    turns: Turns = LOCAL_TURNS
    #: Where downloads are kept that many batches need; None keeps them in the process only.
    cache_folder: Path | None = None
    #: What only one may do at a time; by default this process's own affair.
    locks: Locks = LOCAL_LOCKS
    #: The TOML file that describes product feeds; None where there are none.
    feeds: Path | None = None
    #: Where files lie that a job is at work on, so that the next one can go on with them; None: in
    #: the system's folder for temporary files.
    work_folder: Path | None = None
    #: The variables that a user's own files may name; passwords are among them.
    variables: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    #: Where news waits to be mailed; None where nobody is told of any.
    outbox: Outbox | None = None
    #: URL of the SMTP server; None where there is none.
    smtp_url: SecretStr | None = None
    #: The sender's address of mail.
    mail_from: str = ""
