"""Which jobs of which repository get which role of the delivery: exactly those of the table."""

import itertools
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.platform.delivered import ACCOUNT, Account, account, make_roles

pytestmark = pytest.mark.component

# Claims of a job that GitHub signs: owner, name and the number of the repository, and the end of the subject.
OURS, FORK = ("acme", "11", "lake", "22"), ("stranger", "98", "lake", "99")
CASES = {
    "pull request of a branch": (OURS, "pull_request"),
    # GitHub gives no token to a pull request of a fork in our repository. In its own repository the fork has one.
    "pull request in a fork": (FORK, "pull_request"),
    "main": (OURS, "ref:refs/heads/main"),
    "main of a fork": (FORK, "ref:refs/heads/main"),
    "another branch": (OURS, "ref:refs/heads/mainly"),
    "a branch of a branch": (OURS, "ref:refs/heads/main/x"),
    "a tag": (OURS, "ref:refs/tags/main"),
    "environment dev": (OURS, "environment:dev"),
    "environment prod": (OURS, "environment:prod"),
    "environment destroy-dev": (OURS, "environment:destroy-dev"),
    "environment destroy-prod": (OURS, "environment:destroy-prod"),
    "environment dev of a fork": (FORK, "environment:dev"),
    "an environment with more in its name": (OURS, "environment:dev-too"),
    # The name has become free, and somebody else has taken it.
    "pull request, same name, another number": (("acme", "11", "lake", "99"), "pull_request"),
    "environment dev, same name, another number": (("acme", "77", "lake", "99"), "environment:dev"),
    "destroy, same name, another number": (("acme", "77", "lake", "99"), "environment:destroy-dev"),
    # Our repository after its name was changed: an administrator says so first.
    "pull request, renamed": (("acme", "11", "ocean", "22"), "pull_request"),
    "environment dev, renamed": (("acme", "11", "ocean", "22"), "environment:dev"),
    "environment dev, of a renamed owner": (("apex", "11", "lake", "22"), "environment:dev"),
}
ROLES = [(kind, environment) for kind in ("plan", "apply", "destroy") for environment in ("dev", "prod")]
TABLE = {
    ("pull request of a branch", "plan", "dev"),
    ("pull request of a branch", "plan", "prod"),
    ("main", "plan", "dev"),
    ("main", "plan", "prod"),
    ("environment dev", "apply", "dev"),
    ("environment prod", "apply", "prod"),
    ("environment destroy-dev", "destroy", "dev"),
    ("environment destroy-prod", "destroy", "prod"),
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account that is ready for workflows, in which nothing is deployed."""
    with account(tmp_path_factory.mktemp("ready")) as made:
        yield made


def subject(repository: tuple[str, str, str, str], job: str, immutable: bool) -> str:
    owner, owner_id, name, number = repository
    return f"repo:{owner}@{owner_id}/{name}@{number}:{job}" if immutable else f"repo:{owner}/{name}:{job}"


def passes(aws: Account, role: str, **claims: str) -> bool:
    try:
        return "AWS_SESSION_TOKEN" in aws.assume(role, **claims)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        return False


@pytest.mark.parametrize("immutable", [False, True], ids=["names", "numbers"])
def test_exactly_the_table_passes(ready: Account, immutable: bool) -> None:
    passing = set()
    for (case, (repository, job)), (kind, environment) in itertools.product(CASES.items(), ROLES):
        claims = {"sub": subject(repository, job, immutable), "repository_id": repository[3]}
        if passes(ready, ready.role(kind, environment), **claims):
            passing.add((case, kind, environment))
    assert passing == TABLE


def test_another_audience_and_another_issuer_get_nothing(ready: Account) -> None:
    right = {"sub": subject(OURS, "environment:dev", immutable=True)}
    assert passes(ready, ready.role("apply"), **right)
    for wrong in ({"aud": "https://github.com/acme"}, {"iss": "https://gitlab.com"}):
        with pytest.raises(ClientError, match="InvalidIdentityToken"):
            ready.assume(ready.role("apply"), **right, **wrong)


def test_nobody_inside_of_the_account_takes_a_role_of_the_delivery(ready: Account) -> None:
    """The administrator may assume whatever trusts him, and these trust a token alone."""
    for kind, environment in ROLES:
        with pytest.raises(ClientError, match="AccessDenied"):
            ready.client("sts").assume_role(RoleArn=ready.role(kind, environment), RoleSessionName="somebody")


def test_making_the_roles_again_changes_nothing(ready: Account) -> None:
    again = make_roles(ready)
    assert again.returncode == 0, again.stderr
    assert "Resources: 0 added, 0 changed, 0 destroyed." in again.stdout
    assert "gh variable set LAKE_DEV --repo acme/lake --body '{" in again.stdout
    providers = ready.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    issuer = "token.actions.githubusercontent.com"
    assert [entry["Arn"] for entry in providers] == [f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"]
