"""The root log handler that AWS Lambda gives to a function; MiniStack's worker calls it (see localaws/functions.py)."""

import json
import logging
import os
import sys
import time

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
