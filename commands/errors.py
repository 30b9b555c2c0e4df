"""
What can go wrong before a command runs, by what the reader can do about it.

CommandError
    UnknownCommand          name one that exists
    BrokenCommand           mend the package that brings it
    UnknownOption           name one that exists, or give it a legal value
    BadNameServer           mend the setting
    NoNameServerAnswers     name another, or try again later
    ProgramMissing          install it
    NoAuthorities           install them, or mend the file that should have them
    ServersUnknown          name them, or try again later
    RunStopped              what the text says: a command gives up on all domains
"""


class CommandError(Exception):
    """A command cannot run at all; no domain is to blame."""


class UnknownCommand(CommandError):
    """No command has this name."""


class BrokenCommand(CommandError):
    """The command is registered, and its code cannot be imported."""


class UnknownOption(CommandError):
    """The command has no such option, or not with this value."""


class BadNameServer(CommandError):
    """An entry of the name server setting is no ``ip`` or ``ip:port``."""


class NoNameServerAnswers(CommandError):
    """None of the name servers answered the opening question."""


class ProgramMissing(CommandError):
    """The program that a command runs is not installed."""


class NoAuthorities(CommandError):
    """There is no certificate authority to hold a certificate against."""


class ServersUnknown(CommandError):
    """The list that says which server knows about which domains cannot be had."""


class RunStopped(CommandError):
    """An exception whose reaction is ``stop``: no other domain would do better."""
