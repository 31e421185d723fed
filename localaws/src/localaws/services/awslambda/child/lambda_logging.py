"""The root log handler that AWS Lambda gives to a function; MiniStack's worker calls it (see localaws/functions.py)."""

import json
import logging
import os
import sys
import time
import traceback

# As in localaws/ministack_fixes/awslambda.py.
_END_OF_LOG = "\x00localaws: end of the invocation's log"
_as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


class _Formatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z"
        request = os.environ.get("_LOCALAWS_REQUEST_ID", "")
        text = record.getMessage() + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")
        if not _as_json:
            return f"[{record.levelname}]\t{stamp}\t{request}\t{text}"
        about = {"timestamp": stamp, "level": record.levelname, "message": text}
        return json.dumps({**about, "logger": record.name, "requestId": request})


def start() -> None:
    """Let the root logger write as on AWS: INFO in JSON format, Python's own WARNING in text unless a level is set."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL") or ("INFO" if _as_json else "WARNING"))


def failed(error: Exception) -> None:
    """Log the error that ends an invocation as Lambda's Python runtime does: one JSON record, or text."""
    trace = traceback.format_exception(error)
    if not _as_json:
        print(f"[ERROR] {type(error).__name__}: {error}\n{''.join(trace)}", file=sys.stderr)
        return
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    about = {"timestamp": stamp, "level": "ERROR", "errorMessage": str(error), "errorType": type(error).__name__}
    request = os.environ.get("_LOCALAWS_REQUEST_ID", "")
    print(json.dumps({**about, "requestId": request, "stackTrace": trace[1:-1]}), file=sys.stderr)


def ended() -> None:
    """Mark the end of an invocation's log, so that nobody has to guess whether more of it comes."""
    print(_END_OF_LOG, file=sys.stderr, flush=True)
