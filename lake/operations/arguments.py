"""Constants and object keys that a job and its callers share."""

# Maximum days of a backfill run; bounds the work lost when a run fails.
DAYS_IN_A_RUN = 31


def answer_key(prefix: str, answer: str) -> str:
    """Return the key of the object with an operation's result.

    ``prefix`` of the staging area ends with a slash; ``answer`` is the name that the request gave.
    """
    return f"{prefix}answers/{answer}.json"
