"""Expired sessions, and the source identity of sessions.

AWS: who assumes a role may give the session a source identity, if the trust policy allows sts:SetSourceIdentity; the
trust policy can demand one (sts:SourceIdentity). MiniStack: forgets a session that has expired, which makes its keys
unknown instead of expired, and does not read the source identity. Superfluous when MiniStack answers ExpiredToken for
expired sessions and judges SourceIdentity. Not done: a session does not hand its source identity on to the next role.
"""

import contextvars
import dataclasses
import json
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_evaluator
from ministack.services import sts

from localaws.core.patching import replace, wrap

_asked: contextvars.ContextVar[str] = contextvars.ContextVar("source_identity", default="")


def install() -> None:
    """Remember expired sessions, and judge the source identity with the trust policy."""
    replace(sts, "_evict_expired_sessions", lambda: None)
    wrap(sts, "handle_request", _read_source_identity)
    wrap(iam_evaluator, "evaluate_trust_policy", _judge_source_identity)


async def _read_source_identity(
    original: Any, method: str, path: str, headers: dict[str, str], body: bytes, query_params: Any
) -> Any:
    if "amz-json" in headers.get("content-type", ""):
        asked = str(json.loads(body or b"{}").get("SourceIdentity") or "")
    else:
        asked = parse_qs(body.decode("utf-8", errors="replace")).get("SourceIdentity", [""])[0]
    token = _asked.set(asked)
    try:
        return await original(method, path, headers, body, query_params)
    finally:
        _asked.reset(token)


def _judge_source_identity(original: Any, trust: Any, caller: str, context: Any = None) -> Any:
    asked = _asked.get()
    if context is None or context.action != "sts:AssumeRole" or not asked:
        return original(trust, caller, context)
    keys = {**context.service_context, "sts:sourceidentity": asked}
    with_it = dataclasses.replace(context, service_context=keys)
    setting = dataclasses.replace(with_it, action="sts:SetSourceIdentity")
    return original(trust, caller, with_it) and original(trust, caller, setting)
