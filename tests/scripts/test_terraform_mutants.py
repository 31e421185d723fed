"""The list of mutations of Terraform, and how they are made and counted. `make mutation-terraform` judges them."""

from pathlib import Path

import pytest

from scripts import terraform_mutants
from scripts.terraform_mutants import Mutation, MutationError

REPOSITORY = Path(__file__).parents[2]
LISTED = terraform_mutants.read(REPOSITORY / terraform_mutants.LIST)
SAID = {"a": "test_policies.py::test_x", "b": "checkov CKV_AWS_1", "c": "survived"}


def mutation(find: str, replace: str = "") -> Mutation:
    return Mutation("name", "file.tf", find, replace, "something")


@pytest.mark.parametrize("listed", LISTED, ids=lambda of: of.id)
def test_every_mutation_has_its_one_place_in_terraform(listed: Mutation) -> None:
    text = (REPOSITORY / terraform_mutants.TERRAFORM / listed.file).read_text(encoding="utf-8")
    assert listed.of(text) != text
    assert listed.allows


def test_there_are_as_many_as_are_asked_for_and_each_has_a_name_of_its_own() -> None:
    assert len(LISTED) >= 60
    assert len({of.id for of in LISTED}) == len(LISTED)


@pytest.mark.parametrize("find", ["not there", "twice"])
def test_a_text_that_is_not_there_once_is_an_error(find: str) -> None:
    with pytest.raises(MutationError, match=r"name: file.tf has \d times, not once"):
        mutation(find).of("twice twice")


def test_a_mutation_that_changes_nothing_is_an_error() -> None:
    with pytest.raises(MutationError, match="it changes nothing"):
        mutation("same", "same").of("the same")


def test_the_file_is_as_it_was_after_the_mutation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform_mutants, "TERRAFORM", tmp_path)
    (tmp_path / "file.tf").write_text("a = true\n")
    with terraform_mutants.changed(mutation("true", "false")):
        assert (tmp_path / "file.tf").read_text() == "a = false\n"
    assert (tmp_path / "file.tf").read_text() == "a = true\n"


def test_what_survived_is_told_with_what_it_would_allow() -> None:
    listed = [Mutation(name, "file.tf", "x", "y", f"{name} to happen") for name in SAID]
    lines = list(terraform_mutants.table(listed, SAID))
    assert lines[0] == "survived: c would allow: c to happen"
    assert lines[-1] == "    3 mutations, 66.7% noticed"
    assert terraform_mutants.share(SAID) == pytest.approx(2 / 3)


def test_what_cannot_be_deployed_was_not_noticed() -> None:
    assert terraform_mutants.share({"a": "INVALID Error: Unsupported argument", "b": "checkov"}) == 0.5


@pytest.mark.parametrize(
    ("changed", "again"), [("main.tf", True), ("../modules/used/main.tf", True), ("../other.tf", False)]
)
def test_a_mocked_apply_is_made_again_when_a_file_that_it_reads_has_changed(
    tmp_path: Path, changed: str, again: bool
) -> None:
    root = tmp_path / "terraform/root"
    for file in ("root/main.tf", "modules/used/main.tf", "other.tf"):
        (tmp_path / "terraform" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "terraform" / file).write_text('module "used" {\n  source = "../modules/used"\n}\n')
    made: list[Path] = []

    def make(folder: Path, _terraform: object) -> str:
        made.append(folder)
        return "said"

    apply = terraform_mutants.Remembered(make)
    assert apply(root, None) == apply(root, None) == "said"
    assert len(made) == 1
    (root / changed).write_text("# changed\n")
    apply(root, None)
    assert (len(made) == 2) is again
