"""The list of admitted services, with what of each is real.

AWS: everything works. MiniStack: answers for about 150 services, many of which only store what they are told, and
for S3 sub-resources that it does not know answers 200 and does something else. Added: a list, services.yaml. What is
not on it answers 501 in the format of the service; what is, but is known to be fake, does too.
"""

import fnmatch
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml
from ministack.core.iam_actions import extract_iam_action
from ministack.core.router import detect_service
from ministack.services import cloudwatch

LAMBDA_PAYLOAD_BYTES = 6 * 1024 * 1024

# By service: real, supplied, not_checked and refused, the patterns of actions that answer an error.
ADMITTED: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("services.yaml").read_text(encoding="utf-8")
)

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

Refusal = tuple[int, str, bytes]


def signed_service(headers: dict[str, str], query: dict[str, list[str]]) -> str:
    """The service a request is signed for; a request without a signature can only be one to S3."""
    credential = query.get("X-Amz-Credential", [""])[0]
    _, found, rest = headers.get("authorization", "").partition("Credential=")
    parts = (rest.split(",")[0] if found else credential).strip().split("/")
    return parts[3] if len(parts) >= 5 else "s3"


def refusal(scope: Any, headers: dict[str, str], query: dict[str, list[str]], service: str, body: bytes) -> Any:
    """Status, content type and body of the answer to a request that is not served; None for one that is. The body of
    a request to S3 need not be given."""
    if service == "s3":
        reason = _s3_reason(scope["method"], headers, query)
        return reason and error("s3", headers, body, 501, "NotImplemented", reason)
    if service == "lambda" and scope["path"].endswith("/invocations") and len(body) > LAMBDA_PAYLOAD_BYTES:
        message = f"{len(body)} byte payload is too large for the Invoke operation (limit {LAMBDA_PAYLOAD_BYTES} bytes)"
        return error(service, headers, body, 413, "RequestTooLargeException", message)
    if service not in ADMITTED:
        return _not_here(f"localaws has no service {service}; it has {', '.join(ADMITTED)}", service, headers, body)
    action = _action(scope, headers, query, body)
    if any(fnmatch.fnmatchcase(action, pattern) for pattern in ADMITTED[service].get("refused", [])):
        return _not_here(f"localaws' {service} has no {action}", service, headers, body)
    return None


def error(service: str, headers: dict[str, str], body: bytes, status: int, code: str, message: str) -> Refusal:
    """An error answer in the format that a request to the service wants."""
    xml = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "s3":
        return status, "application/xml", f"<Error>{xml}</Error>".encode()
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return status, "application/cbor", cloudwatch._error(code, message, status, use_cbor=True)[2]
    if b"Action=" in body:
        kind = "Sender" if status < 500 else "Receiver"
        return status, "text/xml", f"<ErrorResponse><Error><Type>{kind}</Type>{xml}</Error></ErrorResponse>".encode()
    return status, "application/json", json.dumps({"__type": code, "code": code, "message": message}).encode()


def _s3_reason(method: str, headers: dict[str, str], query: dict[str, list[str]]) -> str | None:
    unknown = sorted(name for name in query if name not in S3_QUERY and not name.lower().startswith("x-amz-"))
    if unknown:
        return f"localaws' S3 has no ?{unknown[0]}"
    if "x-amz-copy-source" in headers and method == "PUT" and not _is_condition_of_a_copy(headers, query):
        return "S3 copies on If-Match with an ETag or on If-None-Match with *, and copies no part on a condition"
    if method == "GET" and "range" in headers and "versionId" in query:
        return "localaws' S3 has no Range together with versionId"
    return None


def _is_condition_of_a_copy(headers: dict[str, str], query: dict[str, list[str]]) -> bool:
    """Return True for no condition, and for one that CopyObject has: an ETag, or nothing under the key."""
    given = {name: headers[name] for name in ("if-match", "if-none-match") if name in headers}
    is_known = given.get("if-match") != "*" and given.get("if-none-match", "*") == "*"
    return not given or (len(given) == 1 and is_known and "partNumber" not in query)


def _action(scope: Any, headers: dict[str, str], query: Any, body: bytes) -> str:
    if "/operation/" in scope["path"]:  # smithy's RPC protocols name it in the path
        return str(scope["path"].rsplit("/", 1)[-1])
    service = detect_service(scope["method"], scope["path"], headers, query)
    action = extract_iam_action(service, scope["method"], scope["path"], headers, body, query)
    return str(action or "").partition(":")[2]


def _not_here(message: str, service: str, headers: dict[str, str], body: bytes) -> Refusal:
    is_json = headers.get("smithy-protocol") != "rpc-v2-cbor" and b"Action=" not in body
    return error(service, headers, body, 501, "NotImplementedException" if is_json else "NotImplemented", message)
