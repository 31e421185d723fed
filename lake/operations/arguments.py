"""What a job and those who start it agree on."""

# Days of a backfill that one run takes; what dies is then at most that.
DAYS_IN_A_RUN = 31


def answer_key(prefix: str, answer: str) -> str:
    """The object with the answer of that name in the staging area, whose prefix ends with a slash."""
    return f"{prefix}answers/{answer}.json"
