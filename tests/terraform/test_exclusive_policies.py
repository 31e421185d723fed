"""A policy that somebody adds to a role by hand is drift: the root that makes a role says which policies it has."""

from pathlib import Path

import pytest

from scripts import roots
from tests.terraform.conftest import Resources, Run, mocked_apply, resources_of, states_of

# What gives a role a policy and says which, and what says that it has no other.
INLINE = ("aws_iam_role_policy", "role", "name", "aws_iam_role_policies_exclusive", "policy_names")
ATTACHED = (
    "aws_iam_role_policy_attachment",
    "role",
    "policy_arn",
    "aws_iam_role_policy_attachments_exclusive",
    "policy_arns",
)


def root_of(address: str) -> str:
    root, found, _ = address.partition(": ")
    return root if found else roots.PLATFORM


@pytest.fixture(scope="module")
def everything(platform: Resources, tree: Path, terraform: Run) -> dict[str, Resources]:
    """Root => everything that it makes, the bootstrap too."""
    found: dict[str, Resources] = {}
    for address, values in platform.items():
        found.setdefault(root_of(address), {})[address] = values
    states = states_of(mocked_apply(tree / "terraform/bootstrap", terraform))
    return {**found, roots.BOOTSTRAP: dict(resources_of(states[0]["root_module"]))}


@pytest.mark.parametrize(("kind", "role", "name", "exclusive", "names"), [INLINE, ATTACHED], ids=["inline", "attached"])
def test_every_role_has_the_policies_that_its_root_gives_it_and_no_other(
    everything: dict[str, Resources], kind: str, role: str, name: str, exclusive: str, names: str
) -> None:
    for root, resources in everything.items():
        made = {of["name"]: set[str]() for of in resources.values() if of["resource_type"] == "aws_iam_role"}
        given, said = dict(made), {}
        assert made, root
        for values in resources.values():
            if values["resource_type"] == kind and values[role] in made:
                given[values[role]] = given[values[role]] | {values[name]}
            if values["resource_type"] == exclusive:
                said[values["role_name"]] = set(values[names])
        assert said == given, root


def test_what_a_pipeline_puts_onto_a_role_of_the_platform_has_the_name_of_its_registration(
    everything: dict[str, Resources],
) -> None:
    """By that name the platform knows that it is none that somebody has added by hand."""
    roles = {of["name"] for of in everything[roots.PLATFORM].values() if of["resource_type"] == "aws_iam_role"}
    pipelines = roots.pipelines()
    assert pipelines
    for pipeline in pipelines:
        resources = everything[pipeline].values()
        (registration,) = (of["name"] for of in resources if of["resource_type"] == "aws_ssm_parameter")
        put = [(of["role"], of["name"]) for of in resources if of["resource_type"] == INLINE[0] and of["role"] in roles]
        assert put == [("lake-quarantine-repair-test", registration.rpartition("/")[2])]
        # Not registered, the platform would take it away; registered without it, the platform could not be applied.
        written = (roots.folder(pipeline) / "9_outputs.tf").read_text(encoding="utf-8")
        block = written.partition('resource "aws_ssm_parameter" "pipeline" {')[2].partition("\n}")[0]
        assert "depends_on = [module.repair_access]" in block
