"""Processes, errors and logs of Lambda functions.

MiniStack: names every error Runtime.HandlerError and logs its trace line by line; keeps a warm process although its
function's configuration has changed; takes for an invocation's log what has come some milliseconds after its end;
forgets a function's reserved concurrency when a version or an alias of it is called.
Superfluous when MiniStack's worker reports the exception's type, its pool compares all of the configuration, its
worker says where the log of an invocation ends, and a version has its function's concurrency.
"""

import contextvars
import queue
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from localaws.core.patching import edit, wrap

# A warm process is of no more use once one of these has changed; MiniStack does not always notice.
CHANGES_PROCESS = ("CodeSha256", "Environment", "Handler", "Role", "Timeout", "MemorySize", "Layers", "LoggingConfig")

EDITS = {
    '"error": str(e), "trace": traceback.format_exc()}': '"error": str(e), "error_type": type(e).__name__, '
    '"trace": traceback.format_exc()}',
    "        _real_stdout.flush()\n\nrun()": "        _real_stdout.flush()\n        lambda_logging.ended()\n\nrun()",
}

# As in the child's lambda_logging.py.
END_OF_LOG = "\x00localaws: end of the invocation's log"
_LOOK_AGAIN_SECONDS = 0.05

_response: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("response", default=None)


def install() -> None:
    """Report the type of an error, renew processes that are out of date, and wait for the end of a log."""
    edit(lambda_runtime, "_PYTHON_WORKER_SCRIPT", EDITS)
    wrap(lambda_runtime.Worker, "invoke", _remember_response)
    wrap(lambda_runtime.Worker, "_drain_stderr_bounded", _whole_log)
    wrap(lambda_runtime, "acquire_worker", _renew_outdated)
    wrap(lambda_svc, "_execute_function_warm", _name_the_error)
    wrap(lambda_svc, "_reserved_concurrency", _of_the_function)


def _renew_outdated(original: Any, name: str, config: Any, code_zip: bytes, *arguments: Any, **named: Any) -> Any:
    key = lambda_runtime._worker_key(name, config, config.get("Version", "$LATEST"))
    workers = lambda_runtime._workers.get(key) or []
    if any(worker.config.get(field) != config.get(field) for worker in workers for field in CHANGES_PROCESS):
        lambda_runtime.invalidate_worker(name)
    return original(name, config, code_zip, *arguments, **named)


def _of_the_function(original: Any, function: Any, config: dict[str, Any]) -> Any:
    base, _, _ = lambda_svc._get_base_func_record_for_ref(config.get("FunctionArn", ""))
    return original(base or function, config)


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


def _whole_log(original: Any, worker: Any, *arguments: Any, **named: Any) -> str:
    """The lines of an invocation, up to the mark that the process sets, or to the end of a process that has ended."""
    if not worker.config.get("Runtime", "").startswith("python"):
        return str(original(worker, *arguments, **named))
    lines: list[str] = []
    while True:
        has_ended = not worker._stderr_thread.is_alive()
        try:
            line = worker._stderr_queue.get(timeout=_LOOK_AGAIN_SECONDS)
        except queue.Empty:
            if has_ended:
                return "\n".join(lines)
            continue
        # What the function wrote without a line end stands before the mark.
        text, mark, _ = line.partition(END_OF_LOG)
        if text or not mark:
            lines.append(text)
        if mark:
            return "\n".join(lines)
