"""The resource that a request is judged on, where MiniStack names none or another one.

AWS: the service authorization reference says for each action what it is about. MiniStack: finds the resource of most
requests; of those here it finds "*" or a wrong one, so that a policy which names the resource would not allow them.
Added: their resources, and the tags of a resource also for boundaries. Of several that AWS judges, such as catalog,
database and table, the narrowest counts.
"""

import json
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import athena

from localaws.core import settings
from localaws.core.patching import replace, wrap

HERE = f"{settings.REGION}:{settings.ACCOUNT}"
DATABASE = f"arn:aws:glue:{HERE}:database/{{}}"
TABLE = f"arn:aws:glue:{HERE}:table/{{}}/{{}}"
RULE = f"arn:aws:events:{HERE}:rule/{{}}"
ALARM = f"arn:aws:cloudwatch:{HERE}:alarm:{{}}"
DASHBOARD = f"arn:aws:cloudwatch::{settings.ACCOUNT}:dashboard/{{}}"
WORKGROUP = f"arn:aws:athena:{HERE}:workgroup/{{}}"
# Action => the ARN, and the fields of the request that fill it.
RESOURCES = {
    "athena:CreateWorkGroup": (WORKGROUP, "Name"),
    "cloudtrail:AddTags": ("{}", "ResourceId"),
    "cloudtrail:ListTags": ("{}", "ResourceIdList"),
    "cloudtrail:RemoveTags": ("{}", "ResourceId"),
    "cloudwatch:DeleteAlarms": (ALARM, "AlarmNames"),
    "cloudwatch:DescribeAlarms": (ALARM, "AlarmNames"),
    "cloudwatch:DeleteDashboards": (DASHBOARD, "DashboardNames"),
    "cloudwatch:GetDashboard": (DASHBOARD, "DashboardName"),
    "cloudwatch:PutDashboard": (DASHBOARD, "DashboardName"),
    "events:DeleteRule": (RULE, "Name"),
    "events:DescribeRule": (RULE, "Name"),
    "events:ListTargetsByRule": (RULE, "Rule"),
    "events:PutRule": (RULE, "Name"),
    "events:PutTargets": (RULE, "Rule"),
    "events:RemoveTargets": (RULE, "Rule"),
    "glue:BatchGetPartition": (TABLE, "DatabaseName", "TableName"),
    "glue:CreateDatabase": (DATABASE, "DatabaseInput.Name"),
    "glue:CreateJob": (f"arn:aws:glue:{HERE}:job/{{}}", "Name"),
    "glue:CreateTable": (TABLE, "DatabaseName", "TableInput.Name"),
    "glue:DeleteDatabase": (DATABASE, "Name"),
    "glue:DeleteTable": (TABLE, "DatabaseName", "Name"),
    "glue:GetDatabase": (DATABASE, "Name"),
    "glue:GetPartition": (TABLE, "DatabaseName", "TableName"),
    "glue:GetPartitions": (TABLE, "DatabaseName", "TableName"),
    "glue:GetPartitionIndexes": (TABLE, "DatabaseName", "TableName"),
    "glue:GetTable": (TABLE, "DatabaseName", "Name"),
    "glue:UpdateDatabase": (DATABASE, "Name"),
    "glue:UpdateTable": (TABLE, "DatabaseName", "TableInput.Name"),
    "kms:CreateAlias": (f"arn:aws:kms:{HERE}:{{}}", "AliasName"),
    "kms:DeleteAlias": (f"arn:aws:kms:{HERE}:{{}}", "AliasName"),
    "kms:UpdateAlias": (f"arn:aws:kms:{HERE}:{{}}", "AliasName"),
    "lambda:CreateFunction": (f"arn:aws:lambda:{HERE}:function:{{}}", "FunctionName"),
    # Secrets Manager adds six characters that nobody knows beforehand.
    "secretsmanager:CreateSecret": (f"arn:aws:secretsmanager:{HERE}:secret:{{}}-000000", "Name"),
}
# Without a workgroup these are about the one that every account has.
IN_PRIMARY = tuple(
    f"athena:{name}" for name in ("CreateNamedQuery", "ListNamedQueries", "ListQueryExecutions", "StartQueryExecution")
)
# Requests about tags name an ARN.
ARNS = ("ResourceARN", "ResourceArn", "resourceArn")
TAGGING = ("ListTags", "GetTags", "TagResource", "UntagResource")
INVOKE_CONFIG = {"GET": "Get", "PUT": "Put", "POST": "Update", "DELETE": "Delete"}
ALIAS = {"GET": "GetAlias", "PUT": "UpdateAlias", "DELETE": "DeleteAlias"}
CONCURRENCY = {"GET": "GetFunctionConcurrency", "DELETE": "DeleteFunctionConcurrency"}


def install() -> None:
    """Find the resource, its tags, and the actions on what belongs to a function."""
    wrap(iam_actions, "extract_resource_arn", _find)
    wrap(iam_actions, "_lambda_action", _name_action_on_part)
    # MiniStack looks for tags only where one of the caller's own policies asks, and a boundary may ask too.
    replace(iam_evaluator, "_names_condition_key", lambda *_: True)


def _find(
    original: Any, service: str, method: str, path: str, headers: dict[str, str], body: bytes, *where: Any
) -> Any:
    # An object may look like a request.
    action = "" if service == "s3" else iam_actions.extract_iam_action(service, method, path, headers, body, where[0])
    action = action or ""
    if action in RESOURCES:
        template, *fields = RESOURCES[action]
        values = [_field(_asked(body, where[0]), field) for field in fields]
        if all(values):
            return template.format(*values)
    if action.partition(":")[2].startswith(TAGGING):
        asked = _asked(body, where[0])
        given = next((_field(asked, name) for name in ARNS if _field(asked, name)), "")
        if given.startswith("arn:"):
            return given.removesuffix(":*")
    if service == "athena" and (workgroup := _workgroup(action, _asked(body, where[0]))):
        return WORKGROUP.format(workgroup)
    found = original(service, method, path, headers, body, *where)
    qualifier = where[0].get("Qualifier") if action == "lambda:InvokeFunction" else None
    return f"{found}:{qualifier[0] if isinstance(qualifier, list) else qualifier}" if qualifier else found


def _workgroup(action: str, asked: dict[str, Any]) -> str:
    """The workgroup of an execution or a named query, which are asked for by number; empty for any other request."""
    for kept, names in (
        (athena._executions, ("QueryExecutionId", "QueryExecutionIds")),
        (athena._named_queries, ("NamedQueryId", "NamedQueryIds")),
    ):
        for name in names:
            if found := kept.get(_field(asked, name)):
                return str(found["WorkGroup"])
    return "primary" if action in IN_PRIMARY and not asked.get("WorkGroup") else ""


def _asked(body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request in JSON or in the Query protocol."""
    if body[:1] == b"{":
        return dict(json.loads(body))
    lists = {name.partition(".member.")[0]: value for name, value in parameters.items() if ".member.1" in name}
    return {**lists, **parameters}


def _field(asked: Any, name: str) -> str:
    """The value of a field, given by its path with dots; of a list the first one."""
    for part in name.split("."):
        asked = asked.get(part, "") if isinstance(asked, dict) else ""
    while isinstance(asked, list):
        asked = asked[0] if asked else ""
    return str(asked)


def _name_action_on_part(original: Any, method: str, path: str) -> Any:
    """The action on an alias, on reserved concurrency, or on what configures asynchronous invocations."""
    *_, kind, last = ["", *path.strip("/").split("/")]
    if last == "event-invoke-config" and method in INVOKE_CONFIG:
        return f"{INVOKE_CONFIG[method]}FunctionEventInvokeConfig"
    if kind == "aliases" and method in ALIAS:
        return ALIAS[method]
    if last == "concurrency" and method in CONCURRENCY:
        return CONCURRENCY[method]
    return original(method, path)
