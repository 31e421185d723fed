"""What a job and those who start it agree on."""


def answer_key(prefix: str, answer: str) -> str:
    """The object with the answer of that name in the staging area, whose prefix ends with a slash."""
    return f"{prefix}answers/{answer}.json"
