"""A policy that names one resource allows the calls about that one and no others."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

ACCOUNT = "000000000000"
HERE = f"us-east-1:{ACCOUNT}"
BUDGET = {"BudgetName": "NAME", "BudgetType": "COST", "TimeUnit": "MONTHLY"}
DATABASE = {"Name": "judged_ours"}
TRAIL = f"arn:aws:cloudtrail:{HERE}:trail/NAME"
COLUMNS = {"Columns": [{"Name": "a", "Type": "string"}]}
# Service, operation, its parameters with NAME in them, and the ARN of the resource with NAME in it.
CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("athena", "create_work_group", {"Name": "NAME"}, f"arn:aws:athena:{HERE}:workgroup/NAME"),
    ("glue", "create_database", {"DatabaseInput": {"Name": "NAME"}}, f"arn:aws:glue:{HERE}:database/NAME"),
    ("glue", "get_database", {"Name": "NAME"}, f"arn:aws:glue:{HERE}:database/NAME"),
    ("glue", "create_table", {"DatabaseName": "judged", "TableInput": {"Name": "NAME", "StorageDescriptor": COLUMNS}},
     f"arn:aws:glue:{HERE}:table/judged/NAME"),
    ("glue", "get_table", {"DatabaseName": "judged", "Name": "NAME"}, f"arn:aws:glue:{HERE}:table/judged/NAME"),
    ("glue", "get_partitions", {"DatabaseName": "judged", "TableName": "NAME"},
     f"arn:aws:glue:{HERE}:table/judged/NAME"),
    ("events", "put_rule", {"Name": "NAME", "EventPattern": "{}"}, f"arn:aws:events:{HERE}:rule/NAME"),
    ("events", "list_targets_by_rule", {"Rule": "NAME"}, f"arn:aws:events:{HERE}:rule/NAME"),
    ("cloudwatch", "put_dashboard", {"DashboardName": "NAME", "DashboardBody": '{"widgets": []}'},
     "arn:aws:cloudwatch::000000000000:dashboard/NAME"),
    ("secretsmanager", "create_secret", {"Name": "NAME"}, f"arn:aws:secretsmanager:{HERE}:secret:NAME-??????"),
    ("sns", "list_tags_for_resource", {"ResourceArn": f"arn:aws:sns:{HERE}:NAME"}, f"arn:aws:sns:{HERE}:NAME"),
    ("events", "list_tags_for_resource", {"ResourceARN": f"arn:aws:events:{HERE}:rule/NAME"},
     f"arn:aws:events:{HERE}:rule/NAME"),
    ("budgets", "create_budget", {"AccountId": ACCOUNT, "Budget": BUDGET}, f"arn:aws:budgets::{ACCOUNT}:budget/NAME"),
    ("budgets", "update_budget", {"AccountId": ACCOUNT, "NewBudget": BUDGET},
     f"arn:aws:budgets::{ACCOUNT}:budget/NAME"),
    ("budgets", "describe_notifications_for_budget", {"AccountId": ACCOUNT, "BudgetName": "NAME"},
     f"arn:aws:budgets::{ACCOUNT}:budget/NAME"),
    ("budgets", "list_tags_for_resource", {"ResourceARN": f"arn:aws:budgets::{ACCOUNT}:budget/NAME"},
     f"arn:aws:budgets::{ACCOUNT}:budget/NAME"),
    ("cloudtrail", "create_trail", {"Name": "NAME", "S3BucketName": "judged"}, TRAIL),
    ("cloudtrail", "add_tags", {"ResourceId": TRAIL, "TagsList": [{"Key": "a", "Value": "b"}]}, TRAIL),
    ("cloudtrail", "list_tags", {"ResourceIdList": [TRAIL]}, TRAIL),
    ("cloudtrail", "remove_tags", {"ResourceId": TRAIL, "TagsList": [{"Key": "a"}]}, TRAIL),
]  # fmt: skip


def named(value: Any, name: str) -> Any:
    """The same with a name in the place of NAME."""
    if isinstance(value, dict):
        return {key: named(entry, name) for key, entry in value.items()}
    if isinstance(value, list):
        return [named(entry, name) for entry in value]
    return value.replace("NAME", name) if isinstance(value, str) else value


def refused(call: Callable[..., Any], **parameters: Any) -> bool:
    """Whether the right is missing; any other answer is none of that."""
    try:
        call(**parameters)
    except ClientError as error:
        return "not authorized" in error.response["Error"]["Message"]
    return False


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[f"{call[0]} {call[1]}" for call in CALLS])
def test_the_resource_of_a_call_counts(aws: LocalAws, number: int) -> None:
    service, operation, parameters, arn = CALLS[number]
    role = aws.role(f"judged-{number}", {"Action": f"{service}:*", "Resource": named(arn, "judged_ours")})
    call = getattr(aws.client(service, aws.as_role(role)), operation)
    assert not refused(call, **named(parameters, "judged_ours"))
    assert refused(call, **named(parameters, "judged_theirs"))


def test_the_workgroup_of_an_execution_and_of_a_named_query_counts(aws: LocalAws) -> None:
    """They are asked for by their numbers; where no workgroup is named, primary is meant."""
    athena = aws.client("athena")
    aws.client("s3").create_bucket(Bucket="judged-results")
    place = {"ResultConfiguration": {"OutputLocation": "s3://judged-results/"}}
    query = {"Name": "q", "Database": "default", "QueryString": "SELECT 1"}
    started, named = {}, {}
    for name in ("judged-ours", "judged-theirs"):
        athena.create_work_group(Name=name, Configuration=place)
        started[name] = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=name)["QueryExecutionId"]
        named[name] = athena.create_named_query(WorkGroup=name, **query)["NamedQueryId"]
    role = aws.role("one-workgroup", {"Action": "athena:*", "Resource": f"arn:aws:athena:{HERE}:workgroup/judged-ours"})
    client = aws.client("athena", aws.as_role(role))
    calls: list[tuple[str, str, dict[str, str], bool]] = [
        ("get_query_execution", "QueryExecutionId", started, False),
        ("get_query_results", "QueryExecutionId", started, False),
        ("stop_query_execution", "QueryExecutionId", started, False),
        ("batch_get_query_execution", "QueryExecutionIds", started, True),
        ("get_named_query", "NamedQueryId", named, False),
        ("batch_get_named_query", "NamedQueryIds", named, True),
        ("delete_named_query", "NamedQueryId", named, False),
    ]
    for operation, parameter, numbers, several in calls:
        refusals = [
            refused(getattr(client, operation), **{parameter: [number] if several else number})
            for number in (numbers["judged-ours"], numbers["judged-theirs"])
        ]
        assert refusals == [False, True], operation
    assert refused(client.start_query_execution, QueryString="SELECT 1", **place)
    assert not refused(client.start_query_execution, QueryString="SELECT 1", WorkGroup="judged-ours")


def test_a_version_of_a_function_is_a_resource_of_its_own(aws: LocalAws) -> None:
    live = f"arn:aws:lambda:{HERE}:function:judged:live"
    role = aws.role("calls-live", {"Action": "lambda:InvokeFunction", "Resource": live})
    client = aws.client("lambda", aws.as_role(role))
    assert not refused(client.invoke, FunctionName="judged", Qualifier="live")
    assert not refused(client.invoke, FunctionName=live)
    assert refused(client.invoke, FunctionName="judged")
    assert refused(client.invoke, FunctionName="judged", Qualifier="1")


@pytest.mark.parametrize(
    ("operation", "action", "more"),
    [
        ("get_alias", "GetAlias", {"Name": "live"}),
        ("update_alias", "UpdateAlias", {"Name": "live", "FunctionVersion": "1"}),
        ("delete_alias", "DeleteAlias", {"Name": "live"}),
        ("list_aliases", "ListAliases", {}),
        ("get_function_concurrency", "GetFunctionConcurrency", {}),
        ("delete_function_concurrency", "DeleteFunctionConcurrency", {}),
    ],
)
def test_what_belongs_to_a_function_has_actions_of_its_own(
    aws: LocalAws, operation: str, action: str, more: dict[str, str]
) -> None:
    role = aws.role(f"may-{operation}", {"Action": f"lambda:{action}"})
    without = aws.role(f"may-not-{operation}", {"Action": "lambda:*"}, {"Effect": "Deny", "Action": f"lambda:{action}"})
    assert not refused(getattr(aws.client("lambda", aws.as_role(role)), operation), FunctionName="judged", **more)
    assert refused(getattr(aws.client("lambda", aws.as_role(without)), operation), FunctionName="judged", **more)


def test_an_alias_counts_by_its_name_and_a_key_by_its_tags_also_for_a_boundary(aws: LocalAws) -> None:
    iam, kms = aws.client("iam"), aws.client("kms")
    keys = [kms.create_key(Tags=[{"TagKey": "of", "TagValue": whose}])["KeyMetadata"] for whose in ("us", "them")]
    arn = aws.role("by-tag", {"Action": "kms:*"})
    ours = '"Condition": {"StringEquals": {"aws:ResourceTag/of": "us"}}'
    key = f'{{"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*", {ours}}}'
    alias = f'{{"Effect": "Allow", "Action": "kms:*", "Resource": "arn:aws:kms:{HERE}:alias/judged-ours"}}'
    document = f'{{"Version": "2012-10-17", "Statement": [{key}, {alias}]}}'
    boundary = iam.create_policy(PolicyName="by-tag", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="by-tag", PermissionsBoundary=boundary)
    client = aws.client("kms", aws.as_role(arn))
    assert [refused(client.describe_key, KeyId=found["KeyId"]) for found in keys] == [False, True]
    names = ("alias/judged-ours", "alias/judged-theirs")
    made = [refused(client.create_alias, AliasName=name, TargetKeyId=keys[0]["KeyId"]) for name in names]
    assert made == [False, True]


def test_an_object_of_json_lines_is_no_request(aws: LocalAws) -> None:
    s3, lines = aws.client("s3"), b'{"Name": 1}\n{"Name": 2}\n'
    s3.create_bucket(Bucket="lines-of-json")
    s3.put_object(Bucket="lines-of-json", Key="a", Body=lines)
    assert s3.get_object(Bucket="lines-of-json", Key="a")["Body"].read() == lines


@pytest.mark.parametrize(("right", "refusals"), [("ViewBudget", [False, True]), ("ModifyBudget", [True, False])])
def test_budgets_have_one_right_to_read_and_one_to_change(aws: LocalAws, right: str, refusals: list[bool]) -> None:
    client = aws.client("budgets", aws.as_role(aws.role(f"budgets-{right}", {"Action": f"budgets:{right}"})))
    read = refused(client.describe_budget, AccountId=ACCOUNT, BudgetName="by-right")
    change = refused(client.create_budget, AccountId=ACCOUNT, Budget=named(BUDGET, f"by-{right}"))
    assert [read, change] == refusals
