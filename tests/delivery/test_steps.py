"""The modules behind the steps: settings of an environment, digests, comments, issues, exceptions that end."""

import argparse
import json
from datetime import date
from pathlib import Path

import pytest

from scripts.delivery import comment, drift, release, secrets, steps, vulnerabilities
from scripts.plan_files import Manifest, PlanRefused
from tests.delivery.conftest import commit, git


def test_settings_become_what_terraform_takes() -> None:
    people = {"alert_email": "a@b", "second_alert_email": "c@d", "repair_principals": ["x"]}
    given = {"account_id": "1", "plan_role": "r", **people, "project": ""}
    assert steps.settings(json.dumps(given)) == {
        "ALERT_EMAIL": "a@b", "TF_VAR_second_alert_email": "c@d", "TF_VAR_repair_principals": '["x"]',
    }  # fmt: skip
    assert steps.settings("") == {}


@pytest.mark.parametrize(
    ("text", "sentence"), [("{", "is no JSON object"), ('{"mail": "a@b"}', "has mail, which nothing")]
)
def test_settings_that_nothing_reads_are_an_error(text: str, sentence: str) -> None:
    with pytest.raises(steps.SettingsError, match=sentence):
        steps.settings(text)


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_an_apply_with_another_digest_is_refused(tmp_path: Path, digest: str) -> None:
    Manifest("dev", "1", False, "", "1.11.4", {}).write(tmp_path)
    with pytest.raises(PlanRefused, match=f"but {digest or 'none'} was judged"):
        steps.apply(argparse.Namespace(review=tmp_path, digest=digest))


def test_a_comment_is_never_longer_than_github_takes(tmp_path: Path) -> None:
    for name in ("dev", "prod"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "judgement.md").write_text(f"## {name}\n{'x' * 70_000}")
    text = comment.text(tmp_path, "https://run")
    assert len(text) < 65_536
    assert text.count("the summary of the run has the rest") == 2
    assert "## dev" in text
    assert "## prod" in text


def test_a_comment_says_when_there_is_no_plan(tmp_path: Path) -> None:
    assert comment.text(tmp_path, "https://run").startswith(comment.NOTHING)


def test_an_issue_says_when_it_could_not_be_planned(tmp_path: Path) -> None:
    assert drift.judgement(tmp_path) is None
    assert "could not be planned" in drift.text(None, "https://run")


def test_an_accepted_vulnerability_is_one_again_after_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vulnerabilities, "ACCEPTED", {"CVE-1": ("not called", date(2026, 12, 1))})
    assert vulnerabilities.accepted(date(2026, 12, 1)) == ["CVE-1"]
    assert vulnerabilities.accepted(date(2026, 12, 2)) == []


def test_the_files_that_a_change_touches_are_looked_at(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "old.txt").write_text("1")
    (tmp_path / "gone.txt").write_text("1")
    base = commit(tmp_path)
    (tmp_path / "new name.txt").write_text("2")
    (tmp_path / "gone.txt").unlink()
    commit(tmp_path)
    assert secrets.touched(base, tmp_path) == ["new name.txt"]
    assert secrets.touched("0" * 40, tmp_path) == ["new name.txt", "old.txt"]


def test_two_builds_that_differ_are_no_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(artifacts: Path, cache: Path) -> list[Path]:
        (artifacts / "p").mkdir(parents=True)
        (artifacts / "p/same.zip").write_text("same")
        (artifacts / "p/other.zip").write_text(cache.name)
        return []

    monkeypatch.setattr("scripts.build.build", build)
    with pytest.raises(release.NotReproducible, match=r"two builds differ in p/other\.zip$"):
        release.build_twice(tmp_path / "out")


def test_files_of_a_release_have_no_folders(tmp_path: Path) -> None:
    (tmp_path / "p/q").mkdir(parents=True)
    (tmp_path / "p/q/f.zip").write_text("")
    release.flat(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["p-q-f.zip"]
