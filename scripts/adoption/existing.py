"""Ask AWS whether what Terraform is about to create is there already, and under which id Terraform imports it.

Asked is about each kind of which AWS refuses a second one of the same name, or of which it would make a second one
without a word. All other kinds AWS has once for each name or owner, and a creation sets them: nothing is in the way.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

Values = Mapping[str, Any]
# How services say that there is nothing of that name.
ABSENT = frozenset(
    """
    404 AWS.SimpleQueueService.NonExistentQueue EntityNotFoundException NoSuchEntity NotFound NotFoundException
    ParameterNotFound QueueDoesNotExist ResourceNotFoundException
    """.split()  # noqa: SIM905 - a list of one word a line says no more
)
# How services say that the caller may not know.
UNSEEN = frozenset({"403", "AccessDenied", "AccessDeniedException"})
# A creation replaces what is there, or AWS has one at most: of a bucket, a function, a role, a rule, a topic, a queue.
SET_AGAIN = frozenset(
    {
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_event_rule",
        "aws_cloudwatch_event_target",
        "aws_cloudwatch_metric_alarm",
        "aws_iam_role_policies_exclusive",
        "aws_iam_role_policy",
        "aws_iam_role_policy_attachment",
        "aws_iam_role_policy_attachments_exclusive",
        "aws_lakeformation_permissions",
        "aws_lambda_function_event_invoke_config",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_logging",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_s3_object",
        "aws_secretsmanager_secret_policy",
        "aws_sns_topic_policy",
        "aws_sns_topic_subscription",
        "aws_sqs_queue_policy",
        "terraform_data",
    }
)


class InTheWay(Exception):
    """Something has the name and cannot be adopted; the message says why, and what to do."""


class UnknownKind(Exception):
    """Nobody has said how to look for this kind; the message says where that is done."""


@dataclass(frozen=True)
class Cloud:
    """An account and region as the caller sees them; ``client`` makes clients."""

    client: Callable[[str], Any]
    account: str
    region: str

    def all(self, service: str, operation: str, entries: str, **parameters: Any) -> list[Any]:
        """The entries of all pages of an answer."""
        client = self.client(service)
        if client.can_paginate(operation):
            pages = list(client.get_paginator(operation).paginate(**parameters))
        else:
            pages = [getattr(client, operation)(**parameters)]
        return [entry for page in pages for entry in page[entries]]

    @cached_property
    def keys(self) -> list["Key"]:
        """The keys of the account that can be used or were disabled and that the caller may see, the newest first."""
        found = [self._key(entry["KeyId"]) for entry in self.all("kms", "list_keys", "Keys")]
        return sorted((key for key in found if key), key=lambda key: key.created, reverse=True)

    def _key(self, key_id: str) -> "Key | None":
        try:
            about = self.client("kms").describe_key(KeyId=key_id)["KeyMetadata"]
            if about["KeyManager"] != "CUSTOMER" or about["KeyState"] not in ("Enabled", "Disabled"):
                return None
            tags = self.all("kms", "list_resource_tags", "Tags", KeyId=key_id)
        except ClientError as error:
            # A key whose own policy shows it to nobody of us is none that Terraform has made here.
            if error.response["Error"]["Code"] in UNSEEN:
                return None
            raise
        named = {tag["TagKey"]: tag["TagValue"] for tag in tags}
        return Key(key_id, about.get("Description", ""), named, about["CreationDate"])


@dataclass(frozen=True)
class Key:
    """A KMS key, which has no name of its own."""

    id: str
    description: str
    tags: Mapping[str, str]
    created: datetime


@dataclass(frozen=True)
class Named:
    """A kind that AWS has an answer about for each name. Texts are filled with the values of the creation.

    ``id`` is what Terraform imports it by; where only AWS knows that, it stands in the answer as ``answer``.
    """

    service: str
    operation: str
    parameters: Mapping[str, str]
    id: str = ""
    answer: str = ""

    def find(self, cloud: Cloud, values: Values) -> str | None:
        """The id, None when AWS has none; raises InTheWay, KeyError when the name is not known yet."""
        asked = {name: _filled(text, cloud, values) for name, text in self.parameters.items()}
        try:
            answer = getattr(cloud.client(self.service), self.operation)(**asked)
        except ClientError as error:
            _raise_unless_absent(error, next(iter(asked.values())))
            return None
        if answer.get("DeletedDate"):
            name = next(iter(asked.values()))
            raise InTheWay(f"is going to be deleted; first: aws {self.service} restore-secret --secret-id {name}")
        return str(answer[self.answer]) if self.answer else _filled(self.id, cloud, values)


@dataclass(frozen=True)
class Listed:
    """A kind that AWS lists: ``entries`` of the answer, of which the one with ``match`` is it."""

    service: str
    operation: str
    entries: str
    match: Mapping[str, str]
    id: str = ""
    answer: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def find(self, cloud: Cloud, values: Values) -> str | None:
        """The id, None when AWS has none; raises KeyError when the name is not known yet."""
        wanted = {name: _filled(text, cloud, values) for name, text in self.match.items()}
        asked = {name: _filled(text, cloud, values) for name, text in self.parameters.items()}
        try:
            entries = cloud.all(self.service, self.operation, self.entries, **asked)
        except ClientError as error:
            _raise_unless_absent(error, next(iter(wanted.values())))
            return None
        found = next((entry for entry in entries if wanted.items() <= entry.items()), None)
        if found is None:
            return None
        return str(found[self.answer]) if self.answer else _filled(self.id, cloud, values)


class NamedQuery:
    """A named query of Athena, which may have as many of one name as are made."""

    def find(self, cloud: Cloud, values: Values) -> str | None:
        """The id of the query with this name, workgroup and database, None when there is none."""
        wanted = {"Name": values["name"], "WorkGroup": values["workgroup"], "Database": values["database"]}
        try:
            ids = cloud.all("athena", "list_named_queries", "NamedQueryIds", WorkGroup=wanted["WorkGroup"])
        except ClientError as error:
            _raise_unless_absent(error, wanted["Name"])
            return None
        client = cloud.client("athena")
        found = (client.get_named_query(NamedQueryId=query)["NamedQuery"] for query in ids)
        return next((str(query["NamedQueryId"]) for query in found if wanted.items() <= query.items()), None)


class UnnamedKey:
    """A KMS key: described as the wanted one, with its tags; the newest when there are several."""

    def find(self, cloud: Cloud, values: Values) -> str | None:
        """The id of the key, None when there is none."""
        wanted, tags = values["description"], values["tags_all"]
        alike = (key for key in cloud.keys if key.description == wanted and tags.items() <= key.tags.items())
        return next((key.id for key in alike), None)


Kind = Named | Listed | NamedQuery | UnnamedKey
_ATHENA_SAYS_INVALID = "InvalidRequestException"
IN_THE_WAY: Mapping[str, Kind] = {
    "aws_athena_named_query": NamedQuery(),
    "aws_athena_workgroup": Named("athena", "get_work_group", {"WorkGroup": "{name}"}, "{name}"),
    "aws_budgets_budget": Named(
        "budgets", "describe_budget", {"BudgetName": "{name}", "AccountId": "{account}"}, "{account}:{name}"
    ),
    "aws_ce_anomaly_monitor": Listed(
        "ce", "get_anomaly_monitors", "AnomalyMonitors", {"MonitorName": "{name}"}, answer="MonitorArn"
    ),
    "aws_ce_anomaly_subscription": Listed(
        "ce", "get_anomaly_subscriptions", "AnomalySubscriptions", {"SubscriptionName": "{name}"},
        answer="SubscriptionArn",
    ),
    "aws_cloudtrail": Listed("cloudtrail", "describe_trails", "trailList", {"Name": "{name}"}, answer="TrailARN"),
    "aws_cloudwatch_log_group": Listed(
        "logs", "describe_log_groups", "logGroups", {"logGroupName": "{name}"}, "{name}",
        parameters={"logGroupNamePrefix": "{name}"},
    ),
    "aws_cloudwatch_log_stream": Listed(
        "logs", "describe_log_streams", "logStreams", {"logStreamName": "{name}"}, "{log_group_name}:{name}",
        parameters={"logGroupName": "{log_group_name}", "logStreamNamePrefix": "{name}"},
    ),
    "aws_dynamodb_table": Named("dynamodb", "describe_table", {"TableName": "{name}"}, "{name}"),
    "aws_glue_catalog_database": Named("glue", "get_database", {"Name": "{name}"}, "{account}:{name}"),
    "aws_glue_catalog_table": Named(
        "glue", "get_table", {"Name": "{name}", "DatabaseName": "{database_name}"}, "{account}:{database_name}:{name}"
    ),
    "aws_glue_job": Named("glue", "get_job", {"JobName": "{name}"}, "{name}"),
    "aws_iam_role": Named("iam", "get_role", {"RoleName": "{name}"}, "{name}"),
    "aws_kinesis_firehose_delivery_stream": Named(
        "firehose", "describe_delivery_stream", {"DeliveryStreamName": "{name}"},
        "arn:aws:firehose:{region}:{account}:deliverystream/{name}",
    ),
    "aws_kms_alias": Listed("kms", "list_aliases", "Aliases", {"AliasName": "{name}"}, "{name}"),
    "aws_kms_key": UnnamedKey(),
    "aws_lambda_alias": Named(
        "lambda", "get_alias", {"Name": "{name}", "FunctionName": "{function_name}"}, "{function_name}/{name}"
    ),
    "aws_lambda_function": Named(
        "lambda", "get_function_configuration", {"FunctionName": "{function_name}"}, "{function_name}"
    ),
    "aws_s3_bucket": Named("s3", "head_bucket", {"Bucket": "{bucket}"}, "{bucket}"),
    "aws_scheduler_schedule": Named("scheduler", "get_schedule", {"Name": "{name}"}, "default/{name}"),
    "aws_secretsmanager_secret": Named("secretsmanager", "describe_secret", {"SecretId": "{name}"}, answer="ARN"),
    "aws_sns_topic": Named(
        "sns", "get_topic_attributes", {"TopicArn": "arn:aws:sns:{region}:{account}:{name}"},
        "arn:aws:sns:{region}:{account}:{name}",
    ),
    "aws_sqs_queue": Named("sqs", "get_queue_url", {"QueueName": "{name}"}, answer="QueueUrl"),
    "aws_ssm_parameter": Named("ssm", "get_parameter", {"Name": "{name}"}, "{name}"),
}  # fmt: skip


def find(cloud: Cloud, kind: str, values: Values) -> str | None:
    """The id by which Terraform imports the thing, None when AWS has none, or nothing of this kind can be in the way.

    Raises KeyError when the plan does not know its name yet, InTheWay when it cannot be adopted, UnknownKind.
    """
    if kind not in IN_THE_WAY and kind not in SET_AGAIN:
        raise UnknownKind("may be there: how to look for this kind is to be said in scripts/adoption/existing.py")
    return None if kind in SET_AGAIN else IN_THE_WAY[kind].find(cloud, values)


def orphans(cloud: Cloud, tags: Mapping[str, str], known: frozenset[str]) -> Iterator[Key]:
    """The keys with exactly these of our tags that are not among those whose ids are known."""
    for key in cloud.keys:
        ours = {name: value for name, value in key.tags.items() if name in ("project", "environment", "pipeline")}
        if ours == tags and key.id not in known:
            yield key


def _filled(text: str, cloud: Cloud, values: Values) -> str:
    """The text with its names filled in; raises KeyError when one is not known yet."""
    return text.format_map({"account": cloud.account, "region": cloud.region, **values})


def _raise_unless_absent(error: ClientError, name: str) -> None:
    """Raise InTheWay or the error itself, unless AWS says that there is nothing of that name."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code in ABSENT or (code == _ATHENA_SAYS_INVALID and "not found" in message):
        return
    if code in UNSEEN:
        raise InTheWay(f"{name} belongs to another account, or you may not see it") from error
    raise error
