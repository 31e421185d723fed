"""Deliver from one service to another: a function's failures, targets of schedules and rules, topics of alarms.

AWS: with a role, by that role's policies; without one, if the target's own policy (and the key of an encrypted
topic) lets the calling service in. MiniStack: calls the target as nobody and asks nobody. Added: both questions.
"""

from typing import Any

from ministack.services import kms, lambda_svc, sns, sqs

from localaws.core import identity, settings


def queue_url(queue_arn: str) -> str:
    """The URL of an SQS queue given by ARN."""
    *_, account, name = queue_arn.split(":")
    return f"{settings.endpoint()}/{account}/{name}"


def send(client_of: Any, target_arn: str, message: str, attributes: dict[str, Any] | None = None) -> None:
    """Send to a queue, topic or function by `client_of(service)`; raises ValueError for another target, and what the
    client raises."""
    service = target_arn.split(":")[2]
    match service:
        case "sqs":
            more = {"MessageAttributes": attributes} if attributes else {}
            client_of("sqs").send_message(QueueUrl=queue_url(target_arn), MessageBody=message, **more)
        case "sns":
            client_of("sns").publish(TopicArn=target_arn, Message=message)
        case "lambda":
            client_of("lambda").invoke(FunctionName=target_arn, InvocationType="Event", Payload=message)
        case _:
            raise ValueError(f"localaws reaches queues, topics and functions, not {target_arn}")


def why_not(target_arn: str, service: str, source_arn: str) -> str | None:
    """Why a service cannot reach a target on behalf of `source_arn`, by the target's own policy; None when it can."""
    match target_arn.split(":")[2]:
        case "sns":
            if not sns.topic_policy_allows(target_arn, service, source_arn, settings.ACCOUNT):
                return f"the policy of {target_arn} does not let {service} publish"
            return _why_not_with_topic_key(target_arn, service, source_arn)
        case "sqs":
            allowed = sqs.queue_policy_allows(target_arn, service, source_arn, settings.ACCOUNT)
            return None if allowed else f"the policy of {target_arn} does not let {service} send"
        case "lambda":
            policy, _ = lambda_svc.function_policy_for_arn(target_arn) or ({}, "")
            allowed = identity.service_allowed(policy, service, "lambda:InvokeFunction", target_arn, source_arn)
            return None if allowed else f"{target_arn} has no permission for {service} to invoke it"
    return f"localaws reaches queues, topics and functions, not {target_arn}"


def _why_not_with_topic_key(topic_arn: str, service: str, source_arn: str) -> str | None:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    key_id = ((topic or {}).get("attributes") or {}).get("KmsMasterKeyId")
    if not key_id:
        return None
    if key_id == "alias/aws/sns":
        return f"{service} cannot use alias/aws/sns, the key of {topic_arn}; the topic needs a key with a policy"
    key = kms._resolve_key(key_id)
    if key is None or kms._check_key_state(key):
        return f"the key {key_id} of {topic_arn} is not usable"
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        if not identity.service_allowed(key["Policy"], service, action, key["Arn"], source_arn):
            return f"the policy of {key['Arn']}, the key of {topic_arn}, does not let {service} do {action}"
    return None
