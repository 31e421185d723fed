"""A stand-in for GitHub's API: the comments and issues of one repository."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-run"


class Api:
    """What was written, and where it listens."""

    def __init__(self) -> None:
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.address = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        """The answer to a request; raises KeyError for what there is not."""
        part = re.sub(r"^/repos/[^/]+/[^/]+/", "", path)
        first = query.get("page", ["1"]) == ["1"]
        if found := re.fullmatch(r"issues/(\d+)/comments", part):
            return self._comments(method, int(found[1]), body) if first else []
        if found := re.fullmatch(r"issues/comments/(\d+)", part):
            self.comments[int(found[1])] |= body
            return self.comments[int(found[1])]
        if found := re.fullmatch(r"issues/(\d+)", part):
            self.issues[int(found[1])] |= body
            return self.issues[int(found[1])]
        if part == "issues":
            return self._issues(method, query, body) if first else []
        raise KeyError(path)

    def _comments(self, method: str, number: int, body: dict[str, Any]) -> Any:
        if method == "GET":
            return [comment for comment in self.comments.values() if comment["number"] == number]
        key = len(self.comments) + 1
        self.comments[key] = {"id": key, "number": number, "html_url": f"comment {key}", **body}
        return self.comments[key]

    def _issues(self, method: str, query: dict[str, list[str]], body: dict[str, Any]) -> Any:
        if method == "GET":
            label = query["labels"][0]
            return [entry for entry in self.issues.values() if entry["state"] == "open" and label in entry["labels"]]
        key = len(self.issues) + 1
        self.issues[key] = {"number": key, "state": "open", "html_url": f"issue {key}", **body}
        return self.issues[key]


@contextmanager
def running() -> Iterator[Api]:
    """An API that listens on a free port of this machine."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            length = int(self.headers["Content-Length"] or 0)
            address = urlsplit(self.path)
            given = json.loads(self.rfile.read(length)) if length else {}
            answer = json.dumps(api.answer(self.command, address.path, parse_qs(address.query), given)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
