"""Sessions for who has a token of an OpenID Connect provider, such as a workflow of GitHub Actions.

AWS: fetches the provider's public keys, checks signature, time, issuer and audience, and judges the role's trust policy
with claims of the token as condition keys. MiniStack: believes every token and knows three claims. Added: the checks;
the claims that AWS knows of each issuer. What AWS would fetch, localaws is told by its administration (`issuers`). Not
done: the longest session of a role.
"""

import contextvars
import json
from typing import Any
from xml.sax.saxutils import escape

import jwt
from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json
from ministack.services import iam, sts

from localaws.core import clock, settings
from localaws.core.patching import replace, wrap

ACTION = "sts:AssumeRoleWithWebIdentity"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html, read on 2026-11-27.
CLAIMS = ("aud", "sub", "amr")
CLAIMS_OF = {
    "token.actions.githubusercontent.com": (
        "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id",
        "workflow",
    ),
}  # fmt: skip

# Issuer without https:// => its public keys, a JWKS.
_keys: dict[str, dict[str, Any]] = {}
_said: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("web_identity", default=None)


class Refused(Exception):
    """The token does not do; the first argument is AWS's error code."""


def install() -> None:
    """Check tokens, and answer with what they say."""
    replace(sts, "_web_identity_trust_denied", _refusal)
    wrap(sts, "handle_request", _answer_with_the_subject)


def trust(issuer: str, keys: dict[str, Any]) -> None:
    """Take these for the public keys of an issuer. Raises ValueError when they are no JWKS."""
    try:
        jwt.PyJWKSet.from_dict(keys)
    except jwt.PyJWTError as error:
        raise ValueError(f"these are no keys of an issuer: {error}") from error
    _keys[_host(issuer)] = keys


def claims(token: str, account: str) -> dict[str, Any]:
    """Return the claims of a token that a provider of the account has signed. Raises Refused."""
    try:
        unverified = jwt.decode(token, options={"verify_signature": False})
        host = _host(str(unverified["iss"]))
        key = jwt.PyJWKSet.from_dict(_keys[host])[jwt.get_unverified_header(token)["kid"]].key
    except KeyError as error:
        text = "Couldn't retrieve verification key from your identity provider"
        raise Refused("InvalidIdentityToken", text) from error
    except jwt.PyJWTError as error:
        raise Refused("InvalidIdentityToken", "The ID Token provided is not a valid JWT.") from error
    provider = iam._oidc_providers.get(f"arn:aws:iam::{account}:oidc-provider/{host}")
    if provider is None:
        text = f"No OpenIDConnect provider found in your account for {unverified['iss']}"
        raise Refused("InvalidIdentityToken", text)
    return _verified(token, key, provider["ClientIDList"])


def _verified(token: str, key: Any, audiences: list[str]) -> dict[str, Any]:
    # The library looks at the real clock; ours is judged here.
    options: Any = {"require": ["exp", "iat", "sub", "aud"], "verify_exp": False, "verify_iat": False}
    try:
        found = dict(jwt.decode(token, key, algorithms=["RS256"], audience=audiences, options=options))
    except jwt.InvalidAudienceError as error:
        raise Refused("InvalidIdentityToken", "Incorrect token audience") from error
    except jwt.PyJWTError as error:
        raise Refused("InvalidIdentityToken", f"The ID Token provided is not a valid JWT. {error}") from error
    if found["exp"] <= min(clock.now(), clock.real_now()).timestamp():
        raise Refused("ExpiredTokenException", "Token expired: current date/time must be before the expiration time")
    return found


def _refusal(role_arn: str, params: dict[str, Any], use_json: bool) -> Any:
    try:
        said = claims(sts._p(params, "WebIdentityToken"), settings.ACCOUNT)
        _judge(role_arn, said)
    except Refused as refused:
        code, text = refused.args
        status = 403 if code == "AccessDenied" else 400
        return error_response_json(code, text, status) if use_json else sts._error(status, code, text, ns="sts")
    _said.set(said)
    return None


def _judge(role_arn: str, said: dict[str, Any]) -> None:
    host = _host(said["iss"])
    provider = f"arn:aws:iam::{settings.ACCOUNT}:oidc-provider/{host}"
    known = (*CLAIMS, *CLAIMS_OF.get(host, ()))
    context = iam_evaluator.EvalContext(
        principal_arn=provider,
        principal_type="WebIdentityUser",
        principal_account=settings.ACCOUNT,
        action=ACTION,
        resource_arn=role_arn,
        region=settings.REGION,
        service_context={f"{host}:{name}".lower(): said[name] for name in known if name in said},
    )
    role = iam._roles.get_scoped(settings.ACCOUNT, None, role_arn.rsplit("/", 1)[-1])
    is_this = role is not None and role["Arn"] == role_arn
    if not is_this or not iam_evaluator.evaluate_trust_policy(role["AssumeRolePolicyDocument"], provider, context):
        raise Refused("AccessDenied", f"Not authorized to perform {ACTION}")


async def _answer_with_the_subject(original: Any, *arguments: Any, **named: Any) -> Any:
    token = _said.set(None)
    try:
        status, headers, body = await original(*arguments, **named)
        said = _said.get()
    finally:
        _said.reset(token)
    if said is None:
        return status, headers, body
    provider = f"arn:aws:iam::{settings.ACCOUNT}:oidc-provider/{_host(said['iss'])}"
    text = body.decode() if isinstance(body, bytes) else str(body)
    if text.startswith("{"):
        named_in = {"SubjectFromWebIdentityToken": said["sub"], "Provider": provider}
        return status, headers, json.dumps({**json.loads(text), **named_in}).encode()
    text = text.replace(">test-subject<", f">{escape(said['sub'])}<")
    text = text.replace("<Provider>sts.amazonaws.com<", f"<Provider>{provider}<")
    return status, headers, text.encode()


def _host(issuer: str) -> str:
    return issuer.split("://", 1)[-1].rstrip("/")
