"""Identify the caller of a request.

AWS: every request is signed by a user or a session of a role, and nobody holds the root key. MiniStack: with AUTH
on it checks signatures and policies, but the keys "test", any account id and the inherited AWS_ACCESS_KEY_ID are
root and skip all of it; a service calls another with nobody's rights. Added: no root key but the empty one that
MiniStack uses inside; an administrator user with random keys; sessions of a role for what runs on its behalf; a
signature may carry the real or the shifted time.
"""

import asyncio
import functools
import json
import os
import re
import secrets
import threading
import urllib.parse
from typing import Any

import boto3
from botocore.config import Config
from ministack.core import iam_evaluator, sigv4
from ministack.services import iam, sts

from localaws.core import clock, settings
from localaws.core.patching import replace, wrap

ADMINISTRATOR = "localaws-administrator"

_making_clients = threading.Lock()
_administrator_keys: dict[str, str] = {}


def install() -> None:
    """Replace MiniStack's idea of root, and let clients sign with real time."""
    replace(iam_evaluator, "is_root_access_key", lambda access_key_id: not access_key_id)
    wrap(sigv4, "request_time_failure", _accept_either_clock)


def create_administrator() -> None:
    """Create the administrator user, whose keys are in the state folder from then on."""
    _iam("CreateUser", UserName=ADMINISTRATOR)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    _iam("PutUserPolicy", UserName=ADMINISTRATOR, PolicyName="everything", PolicyDocument=json.dumps(everything))
    key = dict(re.findall(r"<(\w+)>([^<]+)<", _iam("CreateAccessKey", UserName=ADMINISTRATOR)))
    _administrator_keys.update(AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    write_credentials()


def write_credentials() -> None:
    """Write the administrator's keys and this server's address to the state folder, for its owner's eyes only."""
    path = settings.home() / "credentials.json"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({**_administrator_keys, **settings.place()}, file)


def role_environment(role_arn: str, session_name: str, service: str = "", source_arn: str = "") -> dict[str, str]:
    """Environment of a process that acts as `role_arn`: keys of a new session, endpoint, region.

    With `service` (such as glue.amazonaws.com) the role's trust policy must let it in, on behalf of `source_arn`.
    Raises PermissionError when it does not, or when the role does not exist.
    """
    _check_trust(role_arn, service, source_arn)
    return _new_session(role_arn, session_name)


def may_assume(service: str, role_arn: str, source_arn: str) -> bool:
    """Return True if the role exists and its trust policy names the service, for a resource of this account."""
    try:
        trust = _role(role_arn)["AssumeRolePolicyDocument"]
    except PermissionError:
        return False
    document = json.loads(trust) if isinstance(trust, str) else trust
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    anywhere = {**document, "Statement": [{**statement, "Resource": "*"} for statement in statements]}
    return service_allowed(anywhere, service, "sts:AssumeRole", "*", source_arn)


def role_may(role_arn: str, action: str, resource_arn: str) -> bool:
    """Return True if the role's own policies and its boundary let it do ``action``; False when it does not exist."""
    name = role_arn.rsplit("/", 1)[-1]
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=settings.ACCOUNT,
        action=action,
        resource_arn=resource_arn,
        region=settings.REGION,
    )
    policies = iam_evaluator._gather_role_policies(name, settings.ACCOUNT)
    limits = iam_evaluator._permissions_boundary(iam._roles, name, settings.ACCOUNT)
    return bool(iam_evaluator.evaluate(context, policies, *limits).decision == "Allow")


def service_allowed(policy: Any, service: str, action: str, resource_arn: str, source_arn: str) -> bool:
    """Return True if a resource's policy lets an AWS service do `action` for `source_arn` in this account."""
    source = {"aws:sourceaccount": settings.ACCOUNT, "aws:sourceowner": settings.ACCOUNT}
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource_arn,
        region=settings.REGION,
        service_context=source | ({"aws:sourcearn": source_arn} if source_arn else {}),
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow")


def role_client(name: str, role_arn: str, session_name: str, service: str = "", source_arn: str = "") -> Any:
    """A boto3 client whose calls are made as the role, once and without retry: the caller has its own retry rules.

    It is kept, because it costs more to make than its call; the trust in `service` is looked at every time.
    """
    _check_trust(role_arn, service, source_arn)
    return _kept_client(name, role_arn, session_name)


@functools.cache
def _kept_client(name: str, role_arn: str, session_name: str) -> Any:
    return client(name, _new_session(role_arn, session_name))


def client(service: str, environment: dict[str, str]) -> Any:
    """A boto3 client for an environment as `settings.credentials` or `role_environment` give it."""
    with _making_clients:  # a session is not safe to use from several threads, and slow to make for each call
        return _session().client(
            service,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        )


def _check_trust(role_arn: str, service: str, source_arn: str) -> None:
    if service and not may_assume(service, role_arn, source_arn):
        raise PermissionError(f"{service} is unable to assume the role {role_arn}")
    _role(role_arn)


def _new_session(role_arn: str, session_name: str) -> dict[str, str]:
    role_name, session_name = role_arn.rsplit("/", 1)[-1], session_name[:64]
    key, secret, token = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30), secrets.token_urlsafe(60)
    arn = f"arn:aws:sts::{settings.ACCOUNT}:assumed-role/{role_name}/{session_name}"
    user = f"{role_name}:{session_name}"
    sts.register_session(key, {"Arn": arn, "UserId": user, "SecretAccessKey": secret, "SessionToken": token})
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}
    return {**keys, **settings.place()}


@functools.cache
def _session() -> Any:
    return boto3.session.Session()


def _role(role_arn: str) -> Any:
    role = iam._roles.get_scoped(settings.ACCOUNT, None, role_arn.rsplit("/", 1)[-1])
    if role is None or role["Arn"] != role_arn:
        raise PermissionError(f"the role {role_arn} does not exist")
    return role


def _accept_either_clock(original: Any, signature: Any, *, now: Any = None) -> Any:
    return original(signature, now=now) and original(signature, now=clock.real_now())


def _iam(action: str, **parameters: str) -> str:
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status, _, answer = asyncio.run(iam.handle_request("POST", "/", headers, body, {}))
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    if status != 200:
        raise RuntimeError(f"IAM {action} answered {status}: {text}")
    return text
