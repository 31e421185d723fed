"""What AWS has already is found, and only what is ours is taken."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lake.environment import deployment
from scripts import roots
from scripts.adoption import command, existing, findings
from scripts.adoption.command import Adopt, copied
from scripts.adoption.existing import Cloud, InTheWay
from scripts.plan_files import PlanRefused
from tests.local_aws import LocalAws
from tests.terraform.conftest import Resources

OURS = {"project": "lake", "environment": "dev"}
# A value for each name that a lookup asks for.
NAMES = "name bucket database database_name function_name log_group_name workgroup description".split()  # noqa: SIM905


def test_of_every_kind_that_the_roots_make_it_is_known_whether_it_can_be_in_the_way(platform: Resources) -> None:
    made = {values["resource_type"] for values in platform.values()}
    assert len(made) > 30
    assert made - set(existing.IN_THE_WAY) - existing.SET_AGAIN == set()
    assert set(existing.IN_THE_WAY) & existing.SET_AGAIN == set()


@pytest.fixture
def local(aws: LocalAws) -> Cloud:
    return Cloud(aws.client, aws.client("sts").get_caller_identity()["Account"], aws.environment["AWS_REGION"])


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        session: Any = boto3.Session(region_name="eu-west-1")
        yield Cloud(session.client, "123456789012", "eu-west-1")


# localaws has no Cost Explorer.
@pytest.mark.parametrize("kind", sorted(kind for kind in existing.IN_THE_WAY if not kind.startswith("aws_ce_")))
def test_where_nothing_has_the_name_nothing_is_in_the_way(local: Cloud, kind: str) -> None:
    values = {**dict.fromkeys(NAMES, "nothing-of-this-name"), "tags_all": OURS}
    assert existing.find(local, kind, values) is None


def test_a_monitor_of_costs_is_found_by_its_name() -> None:
    listed = [{"MonitorName": "another", "MonitorArn": "arn:1"}, {"MonitorName": "x", "MonitorArn": "arn:2"}]
    client = SimpleNamespace(
        can_paginate=lambda _operation: False, get_anomaly_monitors=lambda: {"AnomalyMonitors": listed}
    )
    cloud = Cloud(lambda _service: client, "1", "eu-west-1")
    assert existing.find(cloud, "aws_ce_anomaly_monitor", {"name": "x"}) == "arn:2"
    assert existing.find(cloud, "aws_ce_anomaly_monitor", {"name": "y"}) is None


def test_a_name_is_the_whole_name(cloud: Cloud) -> None:
    logs, values = cloud.client("logs"), {"name": "/aws/lambda/watch"}
    logs.create_log_group(logGroupName="/aws/lambda/watch-other")
    assert existing.find(cloud, "aws_cloudwatch_log_group", values) is None
    logs.create_log_group(logGroupName="/aws/lambda/watch")
    assert existing.find(cloud, "aws_cloudwatch_log_group", values) == "/aws/lambda/watch"


@pytest.mark.parametrize(
    ("kind", "service", "operation", "parameters", "found"),
    [
        ("aws_s3_bucket", "s3", "create_bucket", {"Bucket": "there"}, "there"),
        ("aws_sns_topic", "sns", "create_topic", {"Name": "there"}, "arn:aws:sns:us-east-1:000000000000:there"),
        ("aws_sqs_queue", "sqs", "create_queue", {"QueueName": "there"}, "/000000000000/there"),
        ("aws_ssm_parameter", "ssm", "put_parameter", {"Name": "there", "Value": "1", "Type": "String"}, "there"),
        ("aws_glue_catalog_database", "glue", "create_database", {"DatabaseInput": {"Name": "there"}}, ":there"),
        ("aws_athena_workgroup", "athena", "create_work_group", {"Name": "there"}, "there"),
    ],
)
def test_what_is_there_has_the_id_by_which_terraform_imports_it(
    local: Cloud, kind: str, service: str, operation: str, parameters: dict[str, Any], found: str
) -> None:
    getattr(local.client(service), operation)(**parameters)
    assert (existing.find(local, kind, {"name": "there", "bucket": "there"}) or "").endswith(found)


def key(cloud: Cloud, description: str, **tags: str) -> str:
    entries = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]
    return str(cloud.client("kms").create_key(Description=description, Tags=entries)["KeyMetadata"]["KeyId"])


def test_a_key_is_found_by_its_description_and_tags_and_what_no_state_has_is_an_orphan(cloud: Cloud) -> None:
    key(cloud, "Data", project="another", environment="dev")
    key(cloud, "Alarms", **OURS)
    assert existing.find(cloud, "aws_kms_key", {"description": "Data", "tags_all": OURS}) is None
    ours = key(cloud, "Data", **OURS)
    of_pipeline = key(cloud, "Data of p", **OURS, pipeline="p")
    again = Cloud(cloud.client, cloud.account, cloud.region)
    assert existing.find(again, "aws_kms_key", {"description": "Data", "tags_all": OURS}) == ours
    assert {of.description for of in existing.orphans(again, OURS, frozenset())} == {"Data", "Alarms"}
    assert {of.description for of in existing.orphans(again, OURS, frozenset({ours}))} == {"Alarms"}
    assert [of.id for of in existing.orphans(again, {**OURS, "pipeline": "p"}, frozenset())] == [of_pipeline]


def test_a_key_that_the_caller_may_not_see_is_none_of_ours(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, another = key(cloud, "Data", **OURS), key(cloud, "Data", **OURS)
    kms = cloud.client("kms")
    seen = kms.describe_key

    def describe_key(KeyId: str) -> Any:  # noqa: N803 - boto3's name
        if KeyId == another:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeKey")
        return seen(KeyId=KeyId)

    monkeypatch.setattr(kms, "describe_key", describe_key)
    assert [of.id for of in Cloud(lambda _service: kms, cloud.account, cloud.region).keys] == [ours]


def test_a_secret_that_is_going_to_be_deleted_is_in_the_way(cloud: Cloud) -> None:
    secrets = cloud.client("secretsmanager")
    secrets.create_secret(Name="x", SecretString="x")
    secrets.delete_secret(SecretId="x")
    with pytest.raises(InTheWay, match="is going to be deleted; first: aws secretsmanager restore-secret"):
        existing.find(cloud, "aws_secretsmanager_secret", {"name": "x"})


def test_what_may_not_be_seen_is_in_the_way_and_another_error_is_none_of_absence(cloud: Cloud) -> None:
    def answering(code: str) -> Cloud:
        def head_bucket(**_named: str) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "HeadBucket")

        return Cloud(lambda _service: SimpleNamespace(head_bucket=head_bucket), "1", "eu-west-1")

    with pytest.raises(InTheWay, match="belongs to another account, or you may not see it"):
        existing.find(answering("403"), "aws_s3_bucket", {"bucket": "x"})
    with pytest.raises(ClientError):
        existing.find(answering("SlowDown"), "aws_s3_bucket", {"bucket": "x"})


def test_a_kind_of_which_nobody_has_said_how_to_look_is_said_and_keeps_nothing_else_from_being_adopted(
    there: Cloud, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planner: Any = Planner(root, {"project": deployment.project(), "environment": "dev"}, kind="aws_new_thing")
    assert Adopt(there, "dev", [], wanted=True).take(planner) == 0
    assert len(planner.applied) == 1
    assert capsys.readouterr().out.count("unseen  aws_new_thing x.first: may be there: how to look for this kind") == 1


def test_a_name_that_the_plan_does_not_know_yet_is_no_answer(cloud: Cloud) -> None:
    with pytest.raises(KeyError):
        existing.find(cloud, "aws_lambda_alias", {"name": "live"})


def imported(before: dict[str, Any], *actions: str, **more: Any) -> dict[str, Any]:
    after = {**before, **more}
    change = {"actions": list(actions or ["no-op"]), "before": before, "after": after, "importing": {"id": "the-id"}}
    return {"address": "a.b", "type": "a", "mode": "managed", "change": change}


def only(change: dict[str, Any], *said: str, root: str = "") -> findings.Finding:
    ours = {**OURS, "pipeline": root} if root else OURS
    (found,) = findings.imports({"resource_changes": [change]}, ours, said)
    return found


def test_what_has_our_tags_or_can_have_none_is_adopted() -> None:
    found = only(imported({"tags_all": {**OURS, "managed-by": "terraform"}}))
    assert (found.state, found.sentence) == ("adopt", "a.b")
    assert only(imported({"name": "alias/x"})).state == "adopt"
    assert only(imported({"tags_all": {**OURS, "pipeline": "p"}}), root="p").state == "adopt"


def test_what_an_apply_changes_is_said() -> None:
    change = imported({"tags_all": OURS, "days": 0, "noted": None}, "update", days=14, noted=True)
    change["change"]["after_unknown"] = {"key": True}
    assert only(change).sentence == "a.b; changes days"


@pytest.mark.parametrize("tags", [{"project": "another", "environment": "dev"}, {**OURS, "environment": "prod"}])
def test_what_carries_the_tags_of_another_is_refused_whatever_is_said(tags: dict[str, str]) -> None:
    found = only(imported({"tags_all": tags}), "the-id")
    assert found.state == "refuse"
    assert "belongs to" in found.sentence


def test_a_pipeline_takes_nothing_of_another_pipeline_and_the_platform_nothing_of_a_pipeline() -> None:
    theirs = imported({"tags_all": {**OURS, "pipeline": "q"}})
    assert only(theirs, "the-id", root="p").state == "refuse"
    assert only(theirs, "the-id").state == "refuse"


@pytest.mark.parametrize("tags", [None, {}, {"team": "x"}, {"project": "lake"}])
def test_what_has_no_tags_of_ours_is_adopted_only_when_its_name_is_said(tags: dict[str, str] | None) -> None:
    asked = only(imported({"tags_all": tags}), "another-id")
    assert asked.state == "ask"
    assert 'OURS="the-id"' in asked.sentence
    assert only(imported({"tags_all": tags}), "the-id").state == "adopt"


def test_what_could_only_be_taken_by_deleting_it_is_refused() -> None:
    change = imported({"tags_all": OURS}, "delete", "create")
    change["change"]["replace_paths"] = [["hash_key"]]
    found = only(change, "the-id")
    assert (found.state, "AWS cannot change its hash_key" in found.sentence) == ("refuse", True)


class Planner:
    """A root with two things to create, the name of the second of which follows from the first."""

    def __init__(self, folder: Path, tags: dict[str, str], kind: str = "aws_iam_role") -> None:
        self.root, self.folder, self.command = roots.PLATFORM, folder, ["terraform", f"-chdir={folder}"]
        self.tags, self.kind = tags, kind
        self.plans = 0
        self.applied: list[Path] = []

    def connect(self) -> None:
        """Nothing to connect."""

    def plan_to(self, folder: Path, *, destroy: bool, quiet: bool) -> int:
        assert (destroy, quiet) == (False, True)
        self.plans += 1
        written = self.folder / command.IMPORTS
        wanted = json.loads(written.read_text())["import"] if written.is_file() else []
        ids = {entry["to"]: entry["id"] for entry in wanted}
        second = {"name": "of-first"} if "x.first" in ids else {}
        things = {"x.first": {"name": "first"}, "x.second": second}
        folder.mkdir()
        changes = [self._change(address, ids.get(address), values) for address, values in things.items()]
        (folder / "plan.json").write_text(json.dumps({"resource_changes": changes}))
        return 2

    def _change(self, address: str, found: str | None, values: dict[str, str]) -> dict[str, Any]:
        made = {"actions": ["create"], "before": None, "after": values}
        taken = {"actions": ["no-op"], "before": {"tags_all": self.tags}, "after": {}, "importing": {"id": found}}
        return {"address": address, "type": self.kind, "mode": "managed", "change": taken if found else made}

    def apply_file(self, file: Path) -> int:
        self.applied.append(file)
        return 0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one root."""
    monkeypatch.setattr(roots, "REPOSITORY", tmp_path)
    (tmp_path / "terraform/platform/tests").mkdir(parents=True)
    (tmp_path / "terraform/modules").mkdir()
    (tmp_path / "contracts").mkdir()
    (tmp_path / "terraform/platform/main.tf").write_text("# it")
    return tmp_path / "terraform/platform"


@pytest.fixture
def there(cloud: Cloud) -> Cloud:
    for name in ("first", "of-first"):
        cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    return cloud


def test_what_is_named_by_something_that_is_adopted_is_found_too_and_all_is_applied_at_once(
    there: Cloud, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planner: Any = Planner(root, {"project": deployment.project(), "environment": "dev"})
    assert Adopt(there, "dev", [], wanted=True).take(planner) == 0
    assert planner.plans == 3
    assert [file.parent.name for file in planner.applied] == ["3"]
    said = capsys.readouterr().out
    assert [line.split(":")[1].split()[:3] for line in said.splitlines()] == [
        ["adopt", "aws_iam_role", "first"], ["adopt", "aws_iam_role", "of-first"],
    ]  # fmt: skip


def test_without_yes_nothing_is_applied(there: Cloud, root: Path) -> None:
    planner: Any = Planner(root, {"project": deployment.project(), "environment": "dev"})
    adopt = Adopt(there, "dev", [], wanted=False)
    assert adopt.take(planner) == 0
    assert (planner.applied, adopt.adopted) == ([], 2)


def test_where_one_thing_is_not_ours_nothing_is_adopted_and_nothing_applied(there: Cloud, root: Path) -> None:
    planner: Any = Planner(root, {})
    with pytest.raises(PlanRefused, match="nothing was adopted and nothing applied"):
        Adopt(there, "dev", ["first"], wanted=True).take(planner)
    assert planner.applied == []


def test_imports_are_written_into_a_copy_that_is_gone_afterwards(root: Path) -> None:
    planner: Any = Planner(root, {})
    with copied(planner):
        copy = planner.folder
        assert planner.command == ["terraform", f"-chdir={copy}"]
        assert (copy / "main.tf").read_text() == "# it"
        (copy / command.IMPORTS).write_text("{}")
        assert (copy.parent / "modules").resolve() == root.parent / "modules"
        assert (copy.parent.parent / "contracts").resolve() == root.parent.parent / "contracts"
    assert planner.folder == root
    assert not copy.exists()
    assert sorted(path.name for path in root.iterdir()) == ["main.tf", "tests"]
    shutil.rmtree(root)
