"""Keep one issue for each environment that is not what main says; close it when it is again."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.delivery.github import Repository

_LONGEST_LIST = 200


def judgement(review: Path) -> dict[str, Any] | None:
    """The judgement that a plan has left in a folder; None when it has left none."""
    file = review / "judgement.json"
    found: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found


def text(found: dict[str, Any] | None, run: str) -> str:
    """The text of the issue: every address that an apply would change, by root."""
    return "\n".join([*_lines(found), "", f"[The run]({run})", ""])


def _lines(found: dict[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "It could not be planned. The run says why."
        return
    yield "An apply would change what follows: somebody changed it by hand, or what was merged is not deployed."
    yield "`make plan` shows the values. An apply takes it back; a pull request makes it last."
    for root, judged in found["roots"].items():
        if judged["changed"]:
            yield from ("", f"### {root}", "")
            changed = [f"- {kind}: `{address}`" for address, kind in judged["changed"].items()]
            yield from changed[:_LONGEST_LIST]
            if len(changed) > _LONGEST_LIST:
                yield f"- … and {len(changed) - _LONGEST_LIST} more"


def main() -> int:
    """Command line; 0 when the issue says what was found, whatever that is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", required=True, help="environment")
    parser.add_argument("--review", type=Path, required=True, help="folder of the downloaded review")
    parser.add_argument("--run", required=True, help="address of the workflow's run")
    given = parser.parse_args()
    repository, label, found = Repository.of_the_run(), f"drift-{given.env}", judgement(given.review)
    if found is not None and not found["changes"]:
        print(repository.close_issue(label) or "there is no drift, and no issue about it")
        return 0
    print(repository.keep_issue(label, f"drift: {given.env} is not what main says", text(found, given.run)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
