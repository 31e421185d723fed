"""Lambda.

AWS: a function sees its own environment and role, logs through a root handler, fails with its exception's type, is
retried after one and two minutes when called asynchronously, and counts in AWS/Lambda whoever called it. MiniStack:
really runs the code, in a child process of the server's Python, but hands it the server's whole environment, shows
no logging, retries at once, and delivers failures with nobody's rights.
Added: all of that. Not done: memory is not limited, and every Python runtime is the Python that runs localaws.
"""

import contextvars
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json
from ministack.services import eventbridge, lambda_svc

from localaws.core import clock, identity, settings, simulators, targets
from localaws.core.patching import edit, replace, wrap
from localaws.services.cloudwatch import metrics

# AWS waits this long before the second and the third attempt of an asynchronous invocation.
RETRY_SECONDS = (60, 120)

# What MiniStack's Python worker gets: the clock and the request's id at each call, logging, the error's own log record.
EDITS = {
    "    os.environ.update(env)\n": "    os.environ.update(env)\n    import lambda_logging, sitecustomize\n"
    "    lambda_logging.start()\n",
    '        event = _ms_msg["event"]\n': '        event = _ms_msg["event"]\n        sitecustomize.follow()\n'
    '        os.environ["_LOCALAWS_REQUEST_ID"] = (_ms_msg.get("ctx") or {}).get("request_id", "")\n',
    "        except Exception as e:\n            _real_stdout": "        except Exception as e:\n"
    "            lambda_logging.failed(e)\n            _real_stdout",
}

# The module lambda_logging of functions' processes.
CHILD = Path(__file__).parent / "child"

_logger = logging.getLogger("localaws.functions")
_spawning: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("spawning")
_retries: list[tuple[float, Callable[[], None]]] = []
_running: set[threading.Thread] = set()


def install() -> None:
    """Replace how MiniStack starts, counts and retries functions."""
    replace(eventbridge, "_dispatch_to_lambda", _invoke_for_rule)
    replace(lambda_runtime, "os", _OsOfFunctions())
    edit(lambda_runtime, "_PYTHON_WORKER_SCRIPT", EDITS)
    wrap(lambda_runtime.Worker, "_spawn", _remember_whose_child)
    wrap(lambda_svc, "_execute_function_dispatch", _count)
    wrap(lambda_svc, "_acquire_execution_slot", _count_throttles)
    replace(lambda_svc, "invoke_async_with_retry", invoke_asynchronously)
    wrap(lambda_svc, "_create_function", _refuse_role_that_lambda_may_not_assume)
    clock.subscribe(_go_on)


def unfinished() -> int:
    """Return the number of asynchronous invocations that run now or wait for their retry."""
    return len(_running) + len(_retries)


def _go_on(now: datetime) -> None:
    """Start the retries that are due; an advance of the clock waits for what runs."""
    for entry in [entry for entry in _retries if entry[0] <= now.timestamp()]:
        _retries.remove(entry)
        entry[1]()
    while clock.advancing() and _running:
        for thread in list(_running):
            thread.join()


def invoke_asynchronously(
    function: dict[str, Any], event: Any, attempt: int = 1, first_at: float | None = None
) -> None:
    """Run one attempt in the background; a failed one is tried again when the clock says so, then given up."""
    first_at = clock.moment() if first_at is None else first_at
    called = function["config"]["FunctionArn"]

    def run() -> None:
        try:
            # It may have been mended, or deleted, while the event waited; an alias may point to another version.
            current = _record_of(called)
            result = lambda_svc._execute_function(current, event) if current else {}
            if current and result.get("error"):
                _retry_or_give_up(current, event, result, attempt, first_at)
        finally:
            _running.discard(threading.current_thread())

    thread = threading.Thread(target=run, name="localaws-invoke", daemon=True)
    _running.add(thread)
    thread.start()


def _record_of(function_arn: str) -> dict[str, Any] | None:
    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if not function or not config:
        return None
    # By what it was called decides about its retries, as well as about the ARN that it sees.
    return dict(lambda_svc._execution_record_for_config(function, {**config, "FunctionArn": function_arn}))


def _rules_of(function_arn: str) -> dict[str, Any]:
    """The configuration of asynchronous invocations of what was called: an alias, a version, or neither."""
    base, _, name = lambda_svc._get_base_func_record_for_ref(function_arn)
    qualifier = function_arn.partition(f":function:{name}:")[2] or None
    return dict(lambda_svc._event_invoke_config(base, qualifier) or {}) if base else {}


def _invoke_for_rule(function_arn: str, payload: str) -> None:
    if function := _record_of(function_arn):
        invoke_asynchronously(function, json.loads(payload))


def _retry_or_give_up(
    function: dict[str, Any], event: Any, result: dict[str, Any], attempt: int, first_at: float
) -> None:
    rules = _rules_of(function["config"]["FunctionArn"])
    throttled = bool(result.get("throttle"))
    again_at = clock.moment() + RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1]
    too_old = again_at - first_at > int(rules.get("MaximumEventAgeInSeconds", 21600))
    retries = rules.get("MaximumRetryAttempts")
    # A throttled event goes back to the queue until it is too old: attempts are for errors of the function.
    if not too_old and (throttled or attempt <= (2 if retries is None else int(retries))):
        following = attempt if throttled else attempt + 1
        _retries.append((again_at, lambda: invoke_asynchronously(function, event, following, first_at)))
        return
    config = function["config"]
    record = {
        "version": "1.0",
        "timestamp": clock.now().isoformat(),
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": config["FunctionArn"],
            "condition": "EventAgeExceeded" if too_old else "RetriesExhausted",
            "approximateInvokeCount": attempt,
        },
        "requestPayload": event,
        "responseContext": {
            "statusCode": 200,
            "executedVersion": function["config"].get("Version", "$LATEST"),
            "functionError": "Unhandled",
        },
        "responsePayload": result.get("body"),
    }
    destination = ((rules.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    _send(config, destination, json.dumps(record), "DestinationDeliveryFailures")
    dead_letters = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    _send(config, dead_letters, json.dumps(event), "DeadLetterErrors")


def _send(config: dict[str, Any], target_arn: str | None, message: str, failure_metric: str) -> None:
    """Deliver as the function's role: what the role may not do does not arrive."""
    name = config["FunctionName"]
    try:
        if target_arn:
            targets.send(lambda s: identity.role_client(s, config["Role"], name), target_arn, message)
    except (ClientError, PermissionError, ValueError) as error:
        _logger.error("failure of %s not delivered to %s: %s", name, target_arn, error)
        metrics.put("AWS/Lambda", failure_metric, {"FunctionName": name}, 1)


def _refuse_role_that_lambda_may_not_assume(original: Any, data: dict[str, Any]) -> Any:
    if identity.may_assume("lambda.amazonaws.com", data.get("Role", ""), ""):
        return original(data)
    message = "The role defined for the function cannot be assumed by Lambda."
    return error_response_json("InvalidParameterValueException", message, 400)


def _count(original: Any, function: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
    result = original(function, config, event, request_id, started)
    dimensions = {"FunctionName": config["FunctionName"]}
    metrics.put("AWS/Lambda", "Invocations", dimensions, 1)
    metrics.put("AWS/Lambda", "Errors", dimensions, float(bool(result.get("error"))))
    metrics.put("AWS/Lambda", "Duration", dimensions, (time.time() - started) * 1000, "Milliseconds")
    return result


def _count_throttles(original: Any, function: Any, config: Any) -> Any:
    slot, limit = original(function, config)
    metrics.put("AWS/Lambda", "Throttles", {"FunctionName": config["FunctionName"]}, float(slot is None))
    return slot, limit


def _remember_whose_child(original: Any, worker: Any) -> Any:
    token = _spawning.set(worker.config)
    try:
        return original(worker)
    finally:
        _spawning.reset(token)


class _OsOfFunctions:
    """The module `os` as MiniStack's Lambda runtime sees it: with the environment that AWS gives to a function."""

    def __getattr__(self, name: str) -> Any:
        if name == "environ":  # an error in the property below must not end in the server's environment
            raise RuntimeError("the environment of a function could not be put together")
        return getattr(os, name)

    @property
    def environ(self) -> dict[str, str]:
        config = _spawning.get({})
        log_settings = config.get("LoggingConfig") or {}
        environment = clock.child_environment()
        environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(CHILD)])
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": os.environ["TMPDIR"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": log_settings.get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}",
            "AWS_LAMBDA_LOG_FORMAT": log_settings.get("LogFormat") or "Text",
            "AWS_LAMBDA_LOG_LEVEL": log_settings.get("ApplicationLogLevel") or "",
            "AWS_ENDPOINT_URL": settings.endpoint(),
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
            **simulators.environment(config),
        }
