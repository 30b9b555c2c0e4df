"""
What can go wrong with an export, by what the reader can do about it.

FrameError
    SourceAway          the shop's database is away: try again
    SourceRefused       mend the table's name, the query, or what the database's user may do
    NothingToOffer      mend the rows: there is no good one, and an empty feed is not delivered
    EndpointRefused     mend the destination, or ask whoever runs it: it has said no
    EndpointFails       the endpoint is away or overloaded, after all tries
    EndpointSilent      the endpoint did not answer in time, after all tries
    FileRefused         make room for the file, or mend its folder's permissions

A wrong configuration is a `configuration.Mistakes`, a `ValueError`.
"""


class FrameError(Exception):
    """A frame was not exported."""


class SourceAway(FrameError):
    """The database with the offers cannot be reached, or the connection to it was lost."""


class SourceRefused(FrameError):
    """The database with the offers does not answer the query."""


class NothingToOffer(FrameError):
    """There is no valid offer."""


class EndpointRefused(FrameError):
    """The endpoint will not take the feed, whatever the number of tries."""


class EndpointFails(FrameError):
    """The endpoint did not take the feed, and may do so later."""


class EndpointSilent(EndpointFails):
    """The endpoint did not answer in time."""


class FileRefused(FrameError):
    """The file cannot be written."""
