"""SNS e-mail.

AWS: sends an e-mail to each confirmed subscription. MiniStack: counts an e-mail subscription as confirmed at once
(nobody has to click a link here) and writes a log line. Added: the e-mails, kept in a mailbox that one can read.
"""

from typing import Any

from ministack.services import sns

from localaws.core import clock
from localaws.core.patching import wrap

FOOTER = "\n\n--\nIf you wish to stop receiving notifications from this topic, unsubscribe from {arn}"

# Oldest first: time, to, topic, subject, body (with SNS's footer).
mailbox: list[dict[str, str]] = []


def install() -> None:
    """Keep what SNS would send by e-mail."""
    wrap(sns, "_fanout", _fanout)


def _fanout(
    original: Any,
    topic_arn: str,
    msg_id: str,
    message: str,
    subject: str,
    message_structure: str = "",
    message_attributes: Any = None,
    **rest: Any,
) -> None:
    original(topic_arn, msg_id, message, subject, message_structure, message_attributes, **rest)
    topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
    for subscription in topic["subscriptions"]:
        protocol = subscription["protocol"]
        if protocol not in ("email", "email-json") or not subscription["confirmed"]:
            continue
        body = sns._resolve_message_for_protocol(message, message_structure, protocol)
        if not sns._matches_filter_policy(subscription, message_attributes or {}, body):
            continue
        if protocol == "email-json":
            body = sns._build_envelope(topic_arn, msg_id, body, subject, message_attributes or {}, False)
        mailbox.append(
            {
                "time": clock.now().isoformat(timespec="seconds"),
                "to": subscription["endpoint"],
                "topic": topic_arn,
                "subject": subject or "AWS Notification Message",
                "body": body + FOOTER.format(arn=subscription["arn"]),
            }
        )
