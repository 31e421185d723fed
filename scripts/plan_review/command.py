"""Judge a folder of kept plans, and say so."""

import json
from pathlib import Path

from scripts import plan_files
from scripts.plan_review import judgement, markdown
from scripts.plan_review.judgement import Judgement

REFUSED = 3


def judged(folder: Path, confirm: str) -> Judgement:
    """The judgement of the plans that a folder keeps; raises PlanRefused when they are not those of its manifest."""
    manifest = plan_files.read_manifest(folder)
    plans = {root: plan_files.checked_plan(manifest, folder, root) for root in manifest.roots}
    return judgement.judge(plans, manifest.environment, confirm, manifest.waiting, manifest.digest)


def judge_folder(folder: Path, confirm: str, written: Path | None = None, as_json: bool = False) -> int:
    """Judge a folder, print the judgement, and write it as Markdown into a file.

    Returns 0 when nothing is against the plans, REFUSED when they must not be applied.
    """
    found = judged(folder, confirm)
    text = markdown.write(found)
    if written:
        written.write_text(text, encoding="utf-8")
    print(json.dumps(found.as_json(), indent=2) if as_json else text)
    return REFUSED if found.refused else 0
