"""The rights that calls about budgets need.

AWS: knows two rights, budgets:ViewBudget and budgets:ModifyBudget, for all reading and all changing of a budget, its
notifications and their addresses. MiniStack: asks for a right with the name of the operation, on everything. Added:
AWS's rights, on the budget that a request names. Nothing is spent here, so no notification is ever sent.
"""

import json
from typing import Any

from ministack.core import iam_actions

from localaws.core import settings
from localaws.core.patching import wrap

SERVICE = "AWSBudgetServiceGateway."
# The parts of a budget that have no rights of their own; actions of budgets and tags have.
PARTS = ("Budget", "Budgets", "Notification", "NotificationsForBudget", "Subscriber", "SubscribersForNotification")
RIGHTS = {
    verb + part: "ViewBudget" if verb == "Describe" else "ModifyBudget"
    for verb in ("Create", "Update", "Delete", "Describe")
    for part in PARTS
}


def install() -> None:
    """Name the right and the budget of each request."""
    wrap(iam_actions, "_action_from_target", _name_right)
    wrap(iam_actions, "extract_resource_arn", _find_budget)


def _name_right(original: Any, headers: dict[str, str]) -> Any:
    action = original(headers)
    is_ours = headers.get("x-amz-target", "").startswith(SERVICE)
    return RIGHTS.get(action, action) if is_ours else action


def _find_budget(
    original: Any, service: str, method: str, path: str, headers: dict[str, str], body: bytes, *where: Any
) -> Any:
    if not headers.get("x-amz-target", "").startswith(SERVICE):
        return original(service, method, path, headers, body, *where)
    asked = json.loads(body)
    budget = asked.get("Budget") or asked.get("NewBudget") or asked
    if "BudgetName" in budget:
        return f"arn:aws:budgets::{settings.ACCOUNT}:budget/{budget['BudgetName']}"
    return original(service, method, path, headers, body, *where)
