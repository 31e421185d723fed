"""Comments and issues of the repository whose workflow runs. Needs the Python that a runner has, and nothing else."""

import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_PAGE = 100


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub. ``address`` is its part of the API, ``token`` that of the workflow's run."""

    address: str
    token: str

    @staticmethod
    def of_the_run() -> "Repository":
        """The repository that a runner's environment names; raises KeyError outside a workflow."""
        return Repository(
            f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}", os.environ["GITHUB_TOKEN"]
        )

    def keep_comment(self, number: int, marker: str, text: str) -> str:
        """Write the one comment of an issue or pull request that begins with the marker; its address."""
        body = {"body": f"{marker}\n{text}"}
        path = f"issues/{number}/comments"
        known = next((entry for entry in self._all(path) if entry["body"].startswith(marker)), None)
        answer = self._ask("PATCH", f"issues/comments/{known['id']}", body) if known else self._ask("POST", path, body)
        return str(answer["html_url"])

    def keep_issue(self, label: str, title: str, text: str) -> str:
        """Write the one open issue with the label; its address."""
        body = {"title": title, "body": text}
        known = self._open_issue(label)
        if known:
            return str(self._ask("PATCH", f"issues/{known['number']}", body)["html_url"])
        return str(self._ask("POST", "issues", {**body, "labels": [label]})["html_url"])

    def close_issue(self, label: str) -> str:
        """Close the open issue with the label; its address, empty when there is none."""
        known = self._open_issue(label)
        if known is None:
            return ""
        return str(self._ask("PATCH", f"issues/{known['number']}", {"state": "closed"})["html_url"])

    def _open_issue(self, label: str) -> dict[str, Any] | None:
        # The list of issues has pull requests in it.
        found = (entry for entry in self._all(f"issues?state=open&labels={label}") if "pull_request" not in entry)
        return next(found, None)

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        page, joint = 1, "&" if "?" in path else "?"
        while entries := self._ask("GET", f"{path}{joint}per_page={_PAGE}&page={page}"):
            yield from entries
            page += 1

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, headers, method=method)  # noqa: S310 - the runner's own API
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return json.load(answer)
