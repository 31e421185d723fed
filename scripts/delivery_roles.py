"""Make the roles with which GitHub Actions delivers from one repository, once for each account, as its administrator.

It applies terraform/bootstrap: GitHub's identity provider, and for each environment of this account (account_id in its
values; without one it belongs to every account) the roles that plan, apply and destroy, and the boundary of all roles
that a delivery makes. Run again it repairs and follows changed values; it shows the changes and asks, unless --yes.
State bucket and lock table must be there: make bootstrap.

GitHub's numbers outlive a renaming, and whoever takes over a name that has become free has others. They are in:
  gh api repos/OWNER/NAME --jq '"--owner-id \\(.owner.id) --repository-id \\(.id)"'

It ends with what remains to be set: one line of the values of each environment, and one variable of the repository.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lake.environment import deployment
from scripts import roots, values
from scripts.terraform import Terraform, TerraformError

REPOSITORY = re.compile(r"([\w.-]+)/([\w.-]+)")
NUMBER = re.compile(r"[1-9]\d*")


def environments(account: str) -> dict[str, Any]:
    """Each environment that belongs into the account, as Terraform needs to know it."""
    here = [name for name in roots.environments() if roots.expected_account(name) in (None, account)]
    return {name: environment(name, account) for name in here}


def environment(name: str, account: str) -> dict[str, Any]:
    """An environment as Terraform needs to know it: its region, its buckets, and whether it may be destroyed."""
    return {
        "region": values.region(name),
        "buckets": dict(zip(values.BUCKETS, values.buckets(name, account), strict=True)),
        "allow_destroy": values.allow_destroy(name),
    }


def variables(account: str, github: Mapping[str, str], existing_provider: bool) -> dict[str, Any]:
    """The variables of terraform/bootstrap."""
    return {
        "project": deployment.project(),
        "account_id": account,
        "github": dict(github),
        "existing_provider": existing_provider,
        "environments": environments(account),
        "state": roots.backend(account),
    }


def apply(given: Mapping[str, Any], account: str, ask: bool) -> dict[str, Any] | None:
    """Apply the root, and return what it made; None when Terraform failed or its plan was refused."""
    terraform = Terraform(roots.ACCOUNT, roots.BOOTSTRAP, os.environ, account)
    terraform.connect()
    options = [f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in given.items()]
    if terraform.run("apply", "-compact-warnings", *([] if ask else ["-auto-approve", "-input=false"]), *options):
        return None
    made: dict[str, Any] = terraform.outputs()["delivery"]
    return made


def remaining(made: Mapping[str, Any], account: str, github: Mapping[str, str]) -> list[str]:
    """The work that is left to do by hand, line by line."""
    lines = []
    for name, delivery in made.items():
        roles = delivery["roles"]
        lines += [
            "",
            f"{name}: what its platform must say of roles, in {values.file(name)}:",
            f'  roles = {{ path = "{roles["path"]}", permissions_boundary = "{roles["permissions_boundary"]}" }}',
            f"{name}: what its workflows must know, as a variable of the repository:",
            f"  gh variable set LAKE_{name.upper()} --repo {github['owner']}/{github['name']} "
            f"--body '{json.dumps(settings(name, delivery, account))}'",
        ]
    return lines


def settings(name: str, delivery: Mapping[str, Any], account: str) -> dict[str, str]:
    """The facts that the workflows of an environment must know, by the names that they use."""
    roles = {f"{kind}_role": delivery[kind] for kind in ("plan", "apply", "destroy") if delivery[kind]}
    of_its_own = {"project": deployment.project()} if deployment.project() != deployment.PROJECT else {}
    return {"account_id": account, "region": values.region(name), **of_its_own, **roles}


def repository(parser: argparse.ArgumentParser, given: argparse.Namespace) -> dict[str, str]:
    """The repository that was named; ends the program with a sentence when it was not."""
    named = REPOSITORY.fullmatch(given.github or "")
    if not named:
        parser.error("say which repository delivers: --github OWNER/NAME (make: GITHUB=OWNER/NAME)")
    if not all(NUMBER.fullmatch(number or "") for number in (given.owner_id, given.repository_id)):
        parser.error(
            f"give GitHub's numbers of {given.github} too, which gh api repos/{given.github} --jq '.owner.id, .id' "
            "prints: --owner-id N --repository-id N (make: OWNER_ID=N REPOSITORY_ID=N)"
        )
    owner, name = named.groups()
    return {"owner": owner, "name": name, "owner_id": given.owner_id, "repository_id": given.repository_id}


def arguments(words: Sequence[str] | None) -> tuple[dict[str, str], bool, bool]:
    """The repository, whether the account has the provider already, and whether to ask before anything is changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--github", metavar="OWNER/NAME", help="the repository that delivers")
    parser.add_argument("--owner-id", metavar="N", help="GitHub's number of its owner")
    parser.add_argument("--repository-id", metavar="N", help="GitHub's number of the repository")
    help_provider = "the account has GitHub's provider already: use it, and leave it alone"
    parser.add_argument("--existing-provider", action="store_true", help=help_provider)
    parser.add_argument("--yes", action="store_true", help="apply without asking")
    given = parser.parse_args(words)
    return repository(parser, given), given.existing_provider, not given.yes


def main() -> int:
    """Command line; 0 when the roles are as they should be."""
    github, existing_provider, ask = arguments(None)
    try:
        account = roots.caller_account()
        made = apply(variables(account, github, existing_provider), account, ask)
    except (BotoCoreError, ClientError, TerraformError) as error:
        print(f"delivery-roles: {error}", file=sys.stderr)
        return 1
    if made is None:
        return 1
    print("\n".join(remaining(made, account, github)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
