"""Judge a folder of kept plans, and say so."""

import json
from pathlib import Path

from scripts import plan_files
from scripts.plan_review import judgement, markdown

REFUSED = 3


def judge_folder(folder: Path, confirm: str, written: Path | None = None, as_json: bool = False) -> int:
    """Judge the plans that the folder's manifest names, print it, and write it as Markdown into a file.

    Returns 0 when nothing is against them, REFUSED when they must not be applied. Raises PlanRefused when the folder
    holds other plans than its manifest says.
    """
    manifest = plan_files.read_manifest(folder)
    plans = {root: plan_files.checked_plan(manifest, folder, root) for root in manifest.roots}
    found = judgement.judge(plans, manifest.environment, confirm, manifest.waiting, manifest.digest)
    text = markdown.write(found)
    if written:
        written.write_text(text, encoding="utf-8")
    print(json.dumps(found.as_json(), indent=2) if as_json else text)
    return REFUSED if found.refused else 0
