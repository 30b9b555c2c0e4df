"""
What can stop a run, by what its user can do about it.

InputError              the run was asked for wrongly: ask again
OutputError             the results are there, their file is not: make room, then run again
tasks.load.LoadError    the file cannot be used: mend it
commands.CommandError   the check cannot be done here: mend the setting, install the program
database.DatabaseError  the database cannot be used: mend it, then run again to go on
BatchesFailed           some batches failed for good: run again to go on
"""


class InputError(Exception):
    """A run was asked for in a way that cannot be met."""


class OutputError(Exception):
    """The result file could not be written after the work was done."""


class BatchesFailed(Exception):
    """Batches failed after all their retries; what they had written is kept."""
