"""Keep one comment at a pull request: the judgements of its plans, environment after environment."""

import argparse
import sys
from pathlib import Path

from scripts.delivery.github import Repository

MARKER = "<!-- judgement of the plans -->"
NOTHING = "The plans could not be made; the run says why.\n"
# GitHub takes 65,536 characters.
_LONGEST = 60_000


def text(reviews: Path, run: str) -> str:
    """The text of the comment: every judgement.md below a folder, shortened to what a comment can hold."""
    parts = [file.read_text(encoding="utf-8") for file in sorted(reviews.rglob("judgement.md"))]
    longest = _LONGEST // max(len(parts), 1)
    rest = "\n\n… the summary of the run has the rest.\n"
    shown = [part if len(part) <= longest else f"{part[:longest]}{rest}" for part in parts]
    return "\n".join([*(shown or [NOTHING]), f"[The run]({run})"])


def main() -> int:
    """Command line; 0 when the comment is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=Path, required=True, help="folder of the downloaded reviews")
    parser.add_argument("--pull-request", type=int, required=True, help="its number")
    parser.add_argument("--run", required=True, help="address of the workflow's run")
    given = parser.parse_args()
    print(Repository.of_the_run().keep_comment(given.pull_request, MARKER, text(given.reviews, given.run)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
