"""
Telling people how a run ended: by e-mail, by a Prefect block, by any service that Apprise knows.

    entries = parse_entries(raw, settings)          before the run: InputError says what to mend
    problems = notify(entries, notice, settings)    when it has ended: never raises
"""

from tasks.notify.entries import Entry, parse_entries
from tasks.notify.message import Change, Notice
from tasks.notify.send import notify

__all__ = ["Change", "Entry", "Notice", "notify", "parse_entries"]
