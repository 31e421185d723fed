"""Which services are admitted, and what of each is real.

AWS: everything works. MiniStack: answers for about 150 services, many of which only store what they are told, and
for S3 sub-resources that it does not know answers 200 and does something else. Added: a list. What is not on it
answers 501 in the format of the service; what is, but is known to be fake, does too.
"""

import fnmatch
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

LAMBDA_PAYLOAD_BYTES = 6 * 1024 * 1024


@dataclass(frozen=True)
class Service:
    """An admitted service: what MiniStack does for real, what localaws supplies, and which actions answer an error."""

    real: str
    supplied: str = ""
    not_checked: str = ""
    refused: tuple[str, ...] = ()


# By the name that clients sign their requests for.
ADMITTED = {
    "s3": Service(
        real="objects, versions, multipart, conditional puts, listings, bucket policies, access block",
        supplied="KMS permissions of SSE-KMS reads and writes",
        not_checked="parts under 5 MB; lifecycle, replication and access logs as AWS would run them",
        refused=("unknown sub-resources", "conditional CopyObject", "Range together with versionId"),
    ),
    "sts": Service(real="sessions, callers, role trust for users"),
    "iam": Service(real="users, roles, policies, all evaluated on every signed request"),
    "kms": Service(real="keys, policies, grants, encryption, HMAC"),
    "secretsmanager": Service(
        real="secrets and versions",
        not_checked="KMS key of the secret",
        refused=("RotateSecret", "ReplicateSecretToRegions"),
    ),
    "dynamodb": Service(
        real="items, conditions, transactions, indexes",
        not_checked="KMS key of the table; recovery point",
        refused=("CreateBackup", "RestoreTable*", "ExportTableToPointInTime", "ImportTable", "CreateGlobalTable"),
    ),
    "lambda": Service(
        real="the deployed code runs in a process of localaws' own Python, timeout, reserved concurrency",
        supplied="environment, role, logging, error type, metrics, asynchronous retries, failure destinations",
        not_checked="memory limit, the version of Python, KMS key of the environment",
        refused=("CreateEventSourceMapping", "PutProvisionedConcurrencyConfig", "payloads over 6 MB"),
    ),
    "logs": Service(
        real="groups, streams, events, filter by text",
        not_checked="KMS key of the group",
        refused=("PutMetricFilter", "StartQuery", "PutSubscriptionFilter", "CreateDelivery", "CreateExportTask"),
    ),
    "monitoring": Service(
        real="metrics put by clients, statistics",
        supplied="metrics of Lambda, Firehose, EventBridge, Scheduler; alarms on one metric, SNS actions",
        refused=("PutCompositeAlarm", "PutAnomalyDetector", "PutInsightRule", "PutMetricStream"),
    ),
    "events": Service(
        real="rules and event patterns on the default bus, input transformers",
        supplied="target policies, metrics, dead letters; targets Lambda, SQS, SNS",
        refused=(
            "CreateEventBus",
            "CreateArchive",
            "StartReplay",
            "CreateConnection",
            "CreateApiDestination",
            "CreateEndpoint",
        ),
    ),
    "scheduler": Service(
        real="schedules stored", supplied="all of their running: role, input, retries, dead letters, in UTC"
    ),
    "sns": Service(
        real="topics, subscriptions to SQS, Lambda and HTTP, filters",
        supplied="the mailbox behind e-mail subscriptions, which count as confirmed at once",
        not_checked="the topic's key when a user or role publishes; SNS invokes a function once, unasked",
        refused=("CreatePlatformApplication", "CreatePlatformEndpoint"),
    ),
    "sqs": Service(real="queues, visibility, dead letters", not_checked="KMS key of the queue"),
    "firehose": Service(
        real="streams stored",
        supplied="buffering, GZIP, delivery with the stream's role, retries, metrics",
        not_checked="who may use the key of an encrypted stream; only that it is enabled",
        refused=("sources and destinations but direct put and S3", "processing", "format conversion"),
    ),
    "glue": Service(
        real="databases, tables, partitions",
        supplied="job runs: the script on PySpark with the job's role",
        refused=("*Crawler*", "*Trigger*", "*Workflow*", "*DevEndpoint*", "*Session", "*DataQuality*", "*MLTransform*"),
    ),
    "athena": Service(
        real="workgroups stored", supplied="queries over the Glue catalog, results, bytes scanned, limits"
    ),
    "ssm": Service(real="parameters", refused=("documents, commands, automation, sessions",)),
    "tagging": Service(real="search by tags"),
}

# What S3 understands in the query string, sub-resources and parameters. Everything else is a 501, never a guess.
S3_QUERY = frozenset(
    """
    accelerate acl attributes cors delete encryption legal-hold lifecycle list-type location logging notification
    object-lock ownershipControls partNumber policy policyStatus publicAccessBlock replication requestPayment
    retention session tagging uploadId uploads versionId versioning versions website

    allow-unordered bucket-region continuation-token delimiter encoding-type fetch-owner key-marker marker max-buckets
    max-keys max-parts max-uploads part-number-marker prefix start-after upload-id-marker version-id-marker x-id
    response-cache-control response-content-disposition response-content-encoding response-content-language
    response-content-type response-expires
    """.split()  # noqa: SIM905 - one word a line would be forty lines
)


def listing() -> dict[str, dict[str, Any]]:
    """The list as data, for `GET /_localaws/services`."""
    return {name: vars(service) for name, service in ADMITTED.items()}


async def examine(scope: Any, receive: Any) -> tuple[Any, Any]:
    """(refusal, receive): the answer to a request that is not served, or None; and the request's body to read again."""
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = urllib.parse.parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    service = signed_service(headers, query)
    if service == "s3":
        reason = _s3_reason(scope["method"], headers, query)
        return (reason and _s3_error(reason)), receive
    body = await read_body(receive)
    if service == "lambda" and scope["path"].endswith("/invocations") and len(body) > LAMBDA_PAYLOAD_BYTES:
        message = f"{len(body)} byte payload is too large for the Invoke operation (limit {LAMBDA_PAYLOAD_BYTES} bytes)"
        return _json_error(413, "RequestTooLargeException", message), receive
    reason = _reason(service, scope, headers, query, body)
    return (reason and _error(reason, headers, body)), _replay(body, receive)


def signed_service(headers: dict[str, str], query: dict[str, list[str]]) -> str:
    """The service a request is signed for; a request without a signature can only be one to S3."""
    credential = query.get("X-Amz-Credential", [""])[0]
    _, found, rest = headers.get("authorization", "").partition("Credential=")
    parts = (rest.split(",")[0] if found else credential).strip().split("/")
    return parts[3] if len(parts) >= 5 else "s3"


async def read_body(receive: Any) -> bytes:
    """The whole body of an ASGI request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _replay(body: bytes, receive: Any) -> Any:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return waiting.pop() if waiting else await receive()

    return receive_again


def _s3_reason(method: str, headers: dict[str, str], query: dict[str, list[str]]) -> str | None:
    unknown = sorted(name for name in query if name not in S3_QUERY and not name.lower().startswith("x-amz-"))
    if unknown:
        return f"localaws' S3 has no ?{unknown[0]}"
    if "x-amz-copy-source" in headers and method == "PUT" and ("if-match" in headers or "if-none-match" in headers):
        return "localaws' S3 has no conditional CopyObject"
    if method == "GET" and "range" in headers and "versionId" in query:
        return "localaws' S3 has no Range together with versionId"
    return None


def _reason(service: str, scope: Any, headers: dict[str, str], query: Any, body: bytes) -> str | None:
    if service not in ADMITTED:
        return f"localaws has no service {service}; it has {', '.join(ADMITTED)}"
    action = _action(scope, headers, query, body)
    if any(fnmatch.fnmatchcase(action, pattern) for pattern in ADMITTED[service].refused):
        return f"localaws' {service} has no {action}"
    return None


def _action(scope: Any, headers: dict[str, str], query: Any, body: bytes) -> str:
    from ministack.core.iam_actions import extract_iam_action
    from ministack.core.router import detect_service

    if "/operation/" in scope["path"]:  # smithy's RPC protocols name it in the path
        return str(scope["path"].rsplit("/", 1)[-1])
    service = detect_service(scope["method"], scope["path"], headers, query)
    action = extract_iam_action(service, scope["method"], scope["path"], headers, body, query)
    return str(action or "").partition(":")[2]


def _s3_error(message: str) -> tuple[int, str, bytes]:
    text = f"<Error><Code>NotImplemented</Code><Message>{_escape(message)}</Message></Error>"
    return 501, "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def _error(message: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        from ministack.services import cloudwatch

        _, _, content = cloudwatch._error("NotImplemented", message, 501, use_cbor=True)
        return 501, "application/cbor", content
    if b"Action=" in body:
        error = f"<Error><Type>Sender</Type><Code>NotImplemented</Code><Message>{_escape(message)}</Message></Error>"
        return 501, "text/xml", f"<ErrorResponse>{error}</ErrorResponse>".encode()
    return _json_error(501, "NotImplementedException", message)


def _json_error(status: int, code: str, message: str) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps({"__type": code, "code": code, "message": message}).encode()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
