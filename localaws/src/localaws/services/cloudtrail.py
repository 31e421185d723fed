"""Management events: who asked for what, as the history of events and as events on the default bus.

AWS: CloudTrail writes down each management call with its caller, also one that is denied; the history of 90 days needs
no trail. Once a trail logs them EventBridge gets them, calls that read only for rules that ask for those. MiniStack:
records with a caller that it makes up, and sends nothing. Added: the caller, the error, the events. Not kept: the files
of a trail, so data events, which stand in those alone, are not written down.
"""

import asyncio
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import cloudtrail

from localaws.core import api_model, clock, settings
from localaws.core.patching import wrap
from localaws.services.eventbridge import rules

# Calls that are data events, or none, by the name that a service signs with. Of S3 it is all that names an object.
NOT_MANAGEMENT = {
    "dynamodb": r"(Batch|Transact)(Get|Write).*|(Get|Put|Update|Delete)Item|Query|Scan|.*Statement",
    "lambda": r"Invoke.*",
    "logs": r"PutLogEvents|FilterLogEvents|GetLogEvents",
    "monitoring": r"PutMetricData|GetMetric.*",
    "firehose": r"PutRecord.*",
    "sns": r"Publish.*",
    "sqs": r"(Send|Receive|Delete|Change)Message.*",
    "s3": r"ListObject.*|.*Object.*|.*MultipartUpload.*|.*Part.*",
}
READS = ("Get", "List", "Describe", "Head", "Lookup", "Decrypt", "GenerateDataKey")
# Where CloudTrail has another name than the API.
OTHER_NAMES = {
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
}
# What must stand in no log.
SECRET = ("SecretString", "SecretBinary", "Plaintext", "WebIdentityToken")
_KEY_ID = re.compile(r"Credential=([^/]+)/")
_ERROR = re.compile(rb'"__type": ?"(?:[^"]*#)?([^"]+)"|<Code>([^<]+)</Code>')


@dataclass(frozen=True)
class Request:
    """A request as it came; the body of one to S3 is empty."""

    scope: Any
    headers: dict[str, str]
    query: dict[str, list[str]]
    service: str
    body: bytes

    def operation(self) -> str:
        """The operation, or nothing when it is no management event."""
        if self.service == "s3" and "/" in self.scope["path"].strip("/"):
            return ""
        name = api_model.asked_for(self.service, self.scope, self.headers, self.query, self.body)
        name = OTHER_NAMES.get(name, name)
        return "" if re.fullmatch(NOT_MANAGEMENT.get(self.service, "-"), name) else name

    def parameters(self) -> dict[str, Any]:
        """Return what was asked, with names as CloudTrail writes them, and without what is secret."""
        if self.service == "s3":
            return {"bucketName": self.scope["path"].strip("/")}
        try:
            given = json.loads(self.body or b"{}")
        except ValueError:  # the Query protocol and REST
            return {}
        return {
            name[:1].lower() + name[1:]: "HIDDEN_DUE_TO_SECURITY_REASONS" if name in SECRET else value
            for name, value in given.items()
        }


def install() -> None:
    """Keep the tags that a trail is created with."""
    wrap(cloudtrail, "_create_trail", _with_its_tags)


def heard(request: Request, send: Any) -> Any:
    """Return a ``send`` that writes the call down before the client has the answer."""
    begun: list[Any] = []

    async def send_heard(message: Any) -> None:
        if message["type"] == "http.response.start":
            begun.append(message)  # what an error is called stands in the body
            return
        if begun:
            start = begun.pop()
            if operation := request.operation():
                error = _error(message.get("body", b"")) if start["status"] >= 400 else ""
                await asyncio.to_thread(_write_down, request, operation, error)
            await send(start)
        await send(message)

    return send_heard


def _error(body: bytes) -> str:
    """The code of an error answer, as CloudTrail writes it: without "Exception" where something is denied."""
    found = _ERROR.search(body)
    code = next((group.decode() for group in found.groups() if group), "") if found else "InternalFailure"
    return "AccessDenied" if code.startswith("AccessDenied") else code


def _with_its_tags(original: Any, body: dict[str, Any]) -> Any:
    answer = original(body)
    if answer[0] < 300 and body.get("TagsList"):
        arn = json.loads(answer[2])["TrailARN"]
        cloudtrail._add_tags({"ResourceId": arn, "TagsList": body["TagsList"]})
    return answer


def _write_down(request: Request, operation: str, error: str) -> None:
    event = _event(request, operation, error)
    now = clock.now()
    cloudtrail._get_event_queue().append(
        {
            "EventId": event["eventID"],
            "EventName": operation,
            "EventSource": event["eventSource"],
            "EventTime": now.timestamp(),
            "Username": event["userIdentity"].get("arn", "").rpartition("/")[2],
            "AccessKeyId": event["userIdentity"].get("accessKeyId", ""),
            "ReadOnly": json.dumps(event["readOnly"]),
            "Resources": [],
            "CloudTrailEvent": json.dumps(event),
        }
    )
    if any(trail.get("IsLogging") for *_, trail in cloudtrail._visible_trail_items()):
        rules.emit(f"aws.{request.service}", rules.API_CALL, event)


def _event(request: Request, operation: str, error: str) -> dict[str, Any]:
    """The record of a call; fields and their names: CloudTrail's user guide, "record contents"."""
    found = _KEY_ID.search(request.headers.get("authorization", ""))
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(found[1] if found else ""),
        "eventTime": f"{clock.now():%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{request.service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": settings.REGION,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": request.headers.get("user-agent", ""),
        "requestParameters": request.parameters(),
        "eventID": str(uuid.uuid4()),
        "readOnly": operation.startswith(READS),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": settings.ACCOUNT,
        "eventCategory": "Management",
    }
    if error != "AccessDenied":
        return {**event, "errorCode": error} if error else event
    asked = next(iter(event["requestParameters"].values()), "*")
    who = event["userIdentity"].get("arn", "unknown")
    said = f"User: {who} is not authorized to perform: {request.service}:{operation} on resource: {asked}"
    # Some services write no parameters down when they refuse; none may be relied on.
    return {**event, "requestParameters": None, "errorCode": "AccessDenied", "errorMessage": said}


def _identity(access_key_id: str) -> dict[str, Any]:
    principal = iam_evaluator.resolve_principal(access_key_id, settings.ACCOUNT)
    if isinstance(principal, iam_evaluator.AuthError):
        return {"type": "Unknown", "accountId": settings.ACCOUNT, "accessKeyId": access_key_id}
    session = re.fullmatch(r"arn:aws:sts::(\d+):assumed-role/([^/]+)/.+", principal.arn)
    kind = "AssumedRole" if session else "IAMUser"
    identity = {"type": kind, "arn": principal.arn, "accountId": settings.ACCOUNT, "accessKeyId": access_key_id}
    if session is None:
        return {**identity, "userName": principal.arn.rpartition("/")[2]}
    return {**identity, "sessionContext": {"sessionIssuer": {"type": "Role", "userName": session[2]}}}
