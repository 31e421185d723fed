"""Processes and errors of Lambda functions.

MiniStack: names every error Runtime.HandlerError and logs its trace line by line; keeps a warm process although its
function's configuration has changed. Superfluous when MiniStack's worker reports the exception's type, and its pool
compares all of the configuration.
"""

import contextvars
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from localaws.core.patching import edit, wrap

# A warm process is of no more use once one of these has changed; MiniStack does not always notice.
CHANGES_PROCESS = ("CodeSha256", "Environment", "Handler", "Role", "Timeout", "MemorySize", "Layers", "LoggingConfig")

EDITS = {
    '"error": str(e), "trace": traceback.format_exc()}': '"error": str(e), "error_type": type(e).__name__, '
    '"trace": traceback.format_exc()}',
}

_response: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("response", default=None)


def install() -> None:
    """Report the type of an error, and renew processes that are out of date."""
    edit(lambda_runtime, "_PYTHON_WORKER_SCRIPT", EDITS)
    wrap(lambda_runtime.Worker, "invoke", _remember_response)
    wrap(lambda_runtime, "acquire_worker", _renew_outdated)
    wrap(lambda_svc, "_execute_function_warm", _name_the_error)


def _renew_outdated(original: Any, name: str, config: Any, code_zip: bytes, *arguments: Any, **named: Any) -> Any:
    key = lambda_runtime._worker_key(name, config, config.get("Version", "$LATEST"))
    workers = lambda_runtime._workers.get(key) or []
    if any(worker.config.get(field) != config.get(field) for worker in workers for field in CHANGES_PROCESS):
        lambda_runtime.invalidate_worker(name)
    return original(name, config, code_zip, *arguments, **named)


def _name_the_error(original: Any, function: Any, event: Any, request_id: str) -> Any:
    token = _response.set(None)
    try:
        result = original(function, event, request_id)
        said = _response.get() or {}
        if said.get("error_type") and result.get("error"):
            result["body"] |= {"errorType": said["error_type"], "stackTrace": said["trace"].splitlines()}
        return result
    finally:
        _response.reset(token)


def _remember_response(original: Any, worker: Any, *arguments: Any, **named: Any) -> Any:
    response = original(worker, *arguments, **named)
    _response.set(response)
    # The function's process has logged its error as AWS does; MiniStack would log the trace again, line by line.
    return {**response, "trace": ""} if response.get("error_type") else response
