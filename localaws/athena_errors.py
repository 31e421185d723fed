"""How a query ends when it does not succeed."""


class QueryFailed(Exception):
    """The query is FAILED; the text, in Athena's words where it has some, is the reason that the client reads."""


class QueryCancelled(Exception):
    """The query is CANCELLED, by its user or by the limit of its workgroup."""


class QueryRefused(Exception):
    """The query does not even start: InvalidRequestException."""
