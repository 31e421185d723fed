"""A kept plan is applied where it was made for, with the files that it was made with, or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts import kept_plans, plan_files
from scripts.kept_plans import ApplyFiles, ApplyReviewed, Keep
from scripts.plan_files import Manifest, PlanRefused

CHANGE = {"address": "a.b", "type": "a", "change": {"actions": ["update"], "before": {"x": 1}, "after": {"x": 2}}}


class Planner:
    """A root in which a plan does what it is told, and which notes what was applied."""

    name, account = "dev", "1"

    def __init__(self, root: str, *changes: dict[str, Any]) -> None:
        self.root = root
        self.changes = list(changes)
        self.applied: list[bytes] = []

    def plan_to(self, folder: Path, *, destroy: bool, lock: bool = True, quiet: bool = False) -> int:
        folder.mkdir(parents=True)
        (folder / "plan.tfplan").write_bytes(f"{self.root} {destroy} {self.changes}".encode())
        (folder / "plan.json").write_text(json.dumps({"resource_changes": self.changes, "timestamp": str(folder)}))
        return 2 if self.changes else 0

    def apply_file(self, file: Path) -> int:
        self.applied.append(file.read_bytes())
        return 0


@pytest.fixture(autouse=True)
def _platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_plans, "platform_digest", lambda _environment: "the platform")


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Manifest]:
    """The plans of two roots, of which one changes something."""
    folder = tmp_path / "plans"
    keep = Keep(folder, destroy=False, lock=True)
    assert [keep.take(Planner("platform", CHANGE)), keep.take(Planner("tiny"))] == [2, 0]
    return folder, keep.finish("dev", "1", "1.11.4", {})


def test_plans_are_for_their_owner_and_the_manifest_reads_back(kept: tuple[Path, Manifest]) -> None:
    folder, manifest = kept
    assert folder.stat().st_mode & 0o777 == 0o700
    assert plan_files.read_manifest(folder) == manifest
    assert (manifest.changes, manifest.roots["tiny"].changes) == (True, False)


def test_a_manifest_has_no_values(tmp_path: Path) -> None:
    keep = Keep(tmp_path / "plans", destroy=False, lock=True)
    keep.take(Planner("platform", {**CHANGE, "change": {"actions": ["create"], "after": {"x": "hunter2"}}}))
    keep.finish("dev", "1", "1.11.4", {})
    holding = [
        file.name for file in (tmp_path / "plans").rglob("*") if file.is_file() and b"hunter2" in file.read_bytes()
    ]
    assert sorted(holding) == ["plan.json", "plan.tfplan"]


def test_exactly_the_kept_file_is_applied(kept: tuple[Path, Manifest]) -> None:
    folder, manifest = kept
    platform, tiny = Planner("platform"), Planner("tiny")
    act = ApplyFiles(folder, manifest)
    assert [act.take(platform), act.take(tiny)] == [0, 0]
    assert platform.applied == [plan_files.plan_file(folder, "platform").read_bytes()]
    assert tiny.applied == []


def test_a_kept_file_that_was_touched_is_refused(kept: tuple[Path, Manifest]) -> None:
    folder, manifest = kept
    plan_files.plan_file(folder, "platform").write_bytes(b"other")
    with pytest.raises(PlanRefused, match="is not the plan of the manifest"):
        ApplyFiles(folder, manifest).take(Planner("platform"))
    plan_files.json_file(folder, "platform").write_text("{}")
    with pytest.raises(PlanRefused, match="is not the plan of the manifest"):
        plan_files.checked_plan(manifest, folder, "platform")


def test_a_pipeline_s_plan_is_refused_when_the_platform_has_changed(
    kept: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_plans, "platform_digest", lambda _environment: "another platform")
    with pytest.raises(PlanRefused, match="the platform has changed since tiny was planned"):
        ApplyFiles(*kept).take(Planner("tiny"))
    assert ApplyFiles(*kept).take(Planner("platform")) == 0


def test_the_same_plan_made_again_is_applied(kept: tuple[Path, Manifest]) -> None:
    again = Planner("platform", CHANGE)
    assert ApplyReviewed(kept[1]).take(again) == 0
    assert len(again.applied) == 1


@pytest.mark.parametrize(
    "other",
    [
        {**CHANGE, "address": "a.c"},
        {**CHANGE, "change": {**CHANGE["change"], "after": {"x": 3}}},  # type: ignore[dict-item]  # JSON
        {**CHANGE, "change": {**CHANGE["change"], "actions": ["delete", "create"]}},  # type: ignore[dict-item]  # JSON
    ],
)
def test_a_plan_that_would_do_something_else_is_refused(kept: tuple[Path, Manifest], other: dict[str, Any]) -> None:
    planner = Planner("platform", other)
    with pytest.raises(PlanRefused, match="no longer the one that was judged"):
        ApplyReviewed(kept[1]).take(planner)
    assert planner.applied == []


def deletion(**held: str) -> str:
    change = {**CHANGE, "change": {"actions": ["delete"], "before": held, "after": None}}
    return plan_files.digest({"resource_changes": [change]})


def test_a_deletion_is_the_same_whatever_the_thing_holds_by_then_and_another_thing_is_another() -> None:
    assert deletion(id="role", names="access tiny") == deletion(id="role", names="access")
    assert deletion(id="role") != deletion(id="another")
    assert deletion(id="role") != plan_files.digest({"resource_changes": [CHANGE]})


def test_a_root_that_was_not_judged_is_refused(kept: tuple[Path, Manifest]) -> None:
    with pytest.raises(PlanRefused, match="other is not among the plans"):
        ApplyReviewed(kept[1]).take(Planner("other", CHANGE))


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (("prod", "1", False), "the plans are of dev, not of prod"),
        (("dev", "2", False), "of account 1, the credentials of 2"),
        (("dev", "1", True), "the plans deploy, which is not what was asked for"),
    ],
)
def test_plans_of_another_place_are_refused(
    kept: tuple[Path, Manifest], place: tuple[str, str, bool], sentence: str
) -> None:
    with pytest.raises(PlanRefused, match=sentence):
        plan_files.check_place(kept[1], *place)
    plan_files.check_place(kept[1], "dev", "1", False)


def test_other_artefacts_are_refused_by_name(kept: tuple[Path, Manifest]) -> None:
    stale = replace(kept[1], artefacts={**kept[1].artefacts, "build/artifacts/x.zip": "0"})
    with pytest.raises(PlanRefused, match=r"not the files that were planned with: build/artifacts/x\.zip"):
        plan_files.check_place(stale, "dev", "1", False)
    assert any(name.startswith("contracts/") for name in kept[1].artefacts)


def test_plans_of_two_days_do_not_lie_in_one_folder(kept: tuple[Path, Manifest]) -> None:
    with pytest.raises(PlanRefused, match="is not empty"):
        Keep(kept[0], destroy=False, lock=True)


def test_what_is_no_manifest_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"roots": {}}')
    with pytest.raises(PlanRefused, match="is no manifest of plans"):
        plan_files.read_manifest(tmp_path)
