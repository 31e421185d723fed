"""Lambda.

AWS: a function sees its own environment and role, logs through a root handler, fails with its exception's type, is
retried after one and two minutes when called asynchronously, and counts in AWS/Lambda whoever called it. MiniStack:
really runs the code, in a child process of the server's Python, but hands it the server's whole environment, shows
no logging, names every error Runtime.HandlerError, retries at once, and delivers failures with nobody's rights.
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
from typing import Any

from botocore.exceptions import ClientError

from localaws import authentication, clock, metrics, open_meteo, settings
from localaws.patching import PatchTargetMissing, replace

# AWS waits this long before the second and the third attempt of an asynchronous invocation.
RETRY_SECONDS = (60, 120)

# A warm process is of no more use once one of these has changed; MiniStack does not always notice.
CHANGES_PROCESS = ("CodeSha256", "Environment", "Handler", "Role", "Timeout", "MemorySize", "Layers", "LoggingConfig")

_logger = logging.getLogger("localaws.functions")
_spawning: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("spawning", default=None)
_error: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("error", default=None)
_retries: list[tuple[float, Callable[[], None]]] = []
_running: set[threading.Thread] = set()


def install() -> None:
    """Replace how MiniStack starts, counts and retries functions."""
    from ministack.core import lambda_runtime
    from ministack.services import eventbridge, lambda_svc

    replace(eventbridge, "_dispatch_to_lambda", lambda _original: _invoke_for_rule)
    replace(lambda_runtime, "os", lambda _os: _ServerlessOs())
    replace(lambda_runtime.Worker, "_spawn", _remember_whose_child)
    replace(lambda_runtime.Worker, "invoke", _remember_error)
    replace(lambda_runtime, "_PYTHON_WORKER_SCRIPT", _with_logging_clock_and_error_type)
    replace(lambda_runtime, "acquire_worker", _renew_outdated)
    replace(lambda_svc, "_execute_function_warm", _name_the_error)
    replace(lambda_svc, "_execute_function_dispatch", _count)
    replace(lambda_svc, "_acquire_execution_slot", _count_throttles)
    replace(lambda_svc, "invoke_async_with_retry", lambda _original: invoke_asynchronously)
    replace(lambda_svc, "_create_function", _refuse_role_that_lambda_may_not_assume)
    clock.subscribe(_start_due_retries)
    clock.wait_in_advance(wait_until_finished)


def unfinished() -> int:
    """How many asynchronous invocations run now or wait for their retry."""
    return len(_running) + len(_retries)


def wait_until_finished() -> None:
    """Block until no asynchronous invocation runs; one that only waits for its retry does not count."""
    while _running:
        for thread in list(_running):
            thread.join()


def invoke_asynchronously(
    function: dict[str, Any], event: Any, attempt: int = 1, first_at: float | None = None
) -> None:
    """Run one attempt in the background; a failed one is tried again when the clock says so, then given up."""
    first_at = time.time() if first_at is None else first_at

    def run() -> None:
        from ministack.core.responses import request_scope
        from ministack.services import lambda_svc

        try:
            with request_scope(settings.ACCOUNT, settings.REGION):
                result = lambda_svc._execute_function(function, event)
                if result.get("error"):
                    _retry_or_give_up(function, event, result, attempt, first_at)
        finally:
            _running.discard(threading.current_thread())

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="localaws-invoke", daemon=True)
    _running.add(thread)
    thread.start()


def _invoke_for_rule(function_arn: str, payload: str) -> None:
    from ministack.services import lambda_svc

    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if function and config:
        invoke_asynchronously(lambda_svc._execution_record_for_config(function, config), json.loads(payload))


def _retry_or_give_up(
    function: dict[str, Any], event: Any, result: dict[str, Any], attempt: int, first_at: float
) -> None:
    rules = function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    throttled = bool(result.get("throttle"))
    again_at = time.time() + (RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1])
    too_old = again_at - first_at > int(rules.get("MaximumEventAgeInSeconds", 21600))
    retries = rules.get("MaximumRetryAttempts")
    # A throttled event goes back to the queue until it is too old: attempts are for errors of the function.
    if not too_old and (throttled or attempt <= (2 if retries is None else int(retries))):
        following = attempt if throttled else attempt + 1
        _retries.append((again_at, lambda: invoke_asynchronously(function, event, following, first_at)))
        return
    _give_up(function, event, result, attempt, "EventAgeExceeded" if too_old else "RetriesExhausted", rules)


def _start_due_retries(now: datetime) -> None:
    due = [entry for entry in _retries if entry[0] <= now.timestamp()]
    for entry in due:
        _retries.remove(entry)
        entry[1]()


def _give_up(
    function: dict[str, Any], event: Any, result: dict[str, Any], attempt: int, condition: str, rules: dict[str, Any]
) -> None:
    config = function["config"]
    destination = ((rules.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    dead_letters = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    record = {
        "version": "1.0",
        "timestamp": clock.now().isoformat(),
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": config["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": attempt,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": result.get("body"),
    }
    if destination:
        _send(config, destination, json.dumps(record), "DestinationDeliveryFailures")
    if dead_letters:
        _send(config, dead_letters, json.dumps(event), "DeadLetterErrors")


def _send(config: dict[str, Any], target_arn: str, message: str, failure_metric: str) -> None:
    """Deliver as the function's role: what the role may not do does not arrive."""
    service = target_arn.split(":")[2]
    try:
        client = authentication.role_client(service, config["Role"], config["FunctionName"])
        if service == "sqs":
            client.send_message(QueueUrl=queue_url(target_arn), MessageBody=message)
        elif service == "sns":
            client.publish(TopicArn=target_arn, Message=message)
        elif service == "lambda":
            client.invoke(FunctionName=target_arn, InvocationType="Event", Payload=message)
        else:
            raise PermissionError(f"localaws delivers failures to SQS, SNS and Lambda, not to {target_arn}")
    except (ClientError, PermissionError) as error:
        _logger.error("failure of %s not delivered to %s: %s", config["FunctionName"], target_arn, error)
        metrics.put("AWS/Lambda", failure_metric, {"FunctionName": config["FunctionName"]}, 1, "Count")


def queue_url(queue_arn: str) -> str:
    """The URL of an SQS queue given by ARN."""
    *_, account, name = queue_arn.split(":")
    return f"{settings.endpoint()}/{account}/{name}"


def _refuse_role_that_lambda_may_not_assume(original: Any) -> Any:
    from ministack.core.responses import error_response_json

    def create_function(data: dict[str, Any]) -> Any:
        if authentication.may_assume("lambda.amazonaws.com", data.get("Role", ""), ""):
            return original(data)
        message = "The role defined for the function cannot be assumed by Lambda."
        return error_response_json("InvalidParameterValueException", message, 400)

    return create_function


def _count(original: Any) -> Any:
    def execute_function_dispatch(function: Any, config: Any, event: Any, request_id: str, started: float) -> Any:
        result = original(function, config, event, request_id, started)
        failed = bool(result.get("error"))
        dimensions = {"FunctionName": config["FunctionName"]}
        metrics.put("AWS/Lambda", "Invocations", dimensions, 1, "Count")
        metrics.put("AWS/Lambda", "Errors", dimensions, float(failed), "Count")
        metrics.put("AWS/Lambda", "Duration", dimensions, (time.time() - started) * 1000, "Milliseconds")
        return result

    return execute_function_dispatch


def _count_throttles(original: Any) -> Any:
    def acquire_execution_slot(function: Any, config: Any) -> Any:
        slot, limit = original(function, config)
        metrics.put("AWS/Lambda", "Throttles", {"FunctionName": config["FunctionName"]}, float(slot is None), "Count")
        return slot, limit

    return acquire_execution_slot


def _renew_outdated(original: Any) -> Any:
    from ministack.core import lambda_runtime

    def acquire_worker(func_name: str, config: Any, code_zip: bytes, *args: Any, **named: Any) -> Any:
        pool = lambda_runtime._workers.get(
            lambda_runtime._worker_key(func_name, config, config.get("Version", "$LATEST"))
        )
        for worker in pool or []:
            if any(worker.config.get(name) != config.get(name) for name in CHANGES_PROCESS):
                lambda_runtime.invalidate_worker(func_name)
                break
        return original(func_name, config, code_zip, *args, **named)

    return acquire_worker


def _name_the_error(original: Any) -> Any:
    def execute_function_warm(function: Any, event: Any, request_id: str) -> Any:
        token = _error.set(None)
        try:
            result = original(function, event, request_id)
            error = _error.get()
            if error and error.get("error_type") and result.get("error"):
                result["body"] |= {"errorType": error["error_type"], "stackTrace": error["trace"].splitlines()}
            return result
        finally:
            _error.reset(token)

    return execute_function_warm


def _remember_error(original: Any) -> Any:
    def invoke(worker: Any, *args: Any, **named: Any) -> Any:
        response = original(worker, *args, **named)
        _error.set(response)
        return response

    return invoke


def _remember_whose_child(original: Any) -> Any:
    def spawn(worker: Any) -> Any:
        token = _spawning.set(worker.config)
        try:
            return original(worker)
        finally:
            _spawning.reset(token)

    return spawn


class _ServerlessOs:
    """The module `os` as MiniStack's Lambda runtime sees it: with the environment that AWS gives to a function."""

    def __getattr__(self, name: str) -> Any:
        if name == "environ":  # an error in the property below must not end in the server's environment
            raise RuntimeError("the environment of a function could not be put together")
        return getattr(os, name)

    @property
    def environ(self) -> dict[str, str]:
        config = _spawning.get() or {}
        name = config.get("FunctionName", "")
        log_settings = config.get("LoggingConfig") or {}
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "TMPDIR": os.environ["TMPDIR"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": log_settings.get("LogGroup") or f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_FORMAT": log_settings.get("LogFormat") or "Text",
            "AWS_LAMBDA_LOG_LEVEL": log_settings.get("ApplicationLogLevel") or "",
            "AWS_ENDPOINT_URL": settings.endpoint(),
            "AWS_EC2_METADATA_DISABLED": "true",
            **clock.child_environment(),
            "OPEN_METEO_URL": open_meteo.url(),
        }


LOGGING = """
def _log_like_lambda():
    import logging, time
    as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"

    class Formatter(logging.Formatter):
        converter = time.gmtime
        def format(self, record):
            stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + ".%03dZ" % record.msecs
            request = os.environ.get("_LOCALAWS_REQUEST_ID", "")
            text = record.getMessage() + ("\\n" + self.formatException(record.exc_info) if record.exc_info else "")
            if not as_json:
                return "[%s]\\t%s\\t%s\\t%s" % (record.levelname, stamp, request, text)
            return json.dumps({"timestamp": stamp, "level": record.levelname, "message": text,
                               "logger": record.name, "requestId": request})

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    # AWS: INFO in JSON format, and Python's own WARNING in text format unless the function sets a level.
    root.setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL") or ("INFO" if as_json else "WARNING"))

def run():"""

EDITS = (
    ("\ndef run():", LOGGING),
    ("    os.environ.update(env)\n", "    os.environ.update(env)\n    _log_like_lambda()\n"),
    (
        '        event = _ms_msg["event"]\n',
        '        event = _ms_msg["event"]\n        import sitecustomize\n        sitecustomize.follow()\n'
        '        os.environ["_LOCALAWS_REQUEST_ID"] = (_ms_msg.get("ctx") or {}).get("request_id", "")\n',
    ),
    (
        '"error": str(e), "trace": traceback.format_exc()}',
        '"error": str(e), "error_type": type(e).__name__, "trace": traceback.format_exc()}',
    ),
)


def _with_logging_clock_and_error_type(script: str) -> str:
    for old, new in EDITS:
        if script.count(old) != 1:
            raise PatchTargetMissing(f"MiniStack's Python worker has no single {old.strip()!r}")
        script = script.replace(old, new)
    return script
