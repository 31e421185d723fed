"""Lambda's quota of concurrent executions.

AWS: an account has a quota, 10 when it is new, of which some must stay unreserved (100, or all of a lower quota);
GetAccountSettings says both. MiniStack: reserves whatever is asked. Added: the quota, by default that of a new
account, `LOCALAWS_ACCOUNT_CONCURRENCY` for another one, and AWS's refusal.
Sources: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html.
"""

import os
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from localaws.core.patching import replace, wrap

NEW_ACCOUNT = 10
MUST_STAY_UNRESERVED = 100


def install() -> None:
    """Give the account its quota, and refuse reservations that leave too little of it."""
    replace(lambda_svc, "_ACCOUNT_CONCURRENCY_CAP", quota())
    wrap(lambda_svc, "_put_function_concurrency", _refuse_what_the_quota_does_not_hold)


def quota() -> int:
    """The account's quota of concurrent executions in its region."""
    return int(os.environ.get("LOCALAWS_ACCOUNT_CONCURRENCY", NEW_ACCOUNT))


def _refuse_what_the_quota_does_not_hold(original: Any, name: str, data: dict[str, Any]) -> Any:
    functions = lambda_svc._functions
    reserved = sum(int(functions[other].get("concurrency") or 0) for other in functions if other != name)
    least = min(MUST_STAY_UNRESERVED, quota())
    asked = int(data.get("ReservedConcurrentExecutions") or 0)
    if asked and quota() - reserved - asked < least:
        return error_response_json(
            "InvalidParameterValueException",
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{least}].",
            400,
        )
    return original(name, data)
