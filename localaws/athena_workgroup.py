"""What a workgroup decides about a query: whether it may run, where its result goes, how much it may read."""

from dataclasses import dataclass
from typing import Any

from localaws.athena_errors import QueryRefused


@dataclass(frozen=True)
class Rules:
    """The rules for one query. `output` ends with a slash; `cutoff` is in bytes."""

    workgroup: str
    output: str
    encryption: dict[str, str] | None
    cutoff: int | None
    publishes_metrics: bool

    def put_arguments(self) -> dict[str, str]:
        """What the encryption means for PutObject."""
        if not self.encryption:
            return {}
        if self.encryption["EncryptionOption"] == "SSE_S3":
            return {"ServerSideEncryption": "AES256"}
        key = {"SSEKMSKeyId": self.encryption["KmsKey"]} if self.encryption.get("KmsKey") else {}
        return {"ServerSideEncryption": "aws:kms", **key}


def rules(request: dict[str, Any]) -> Rules:
    """The rules for a StartQueryExecution; raises QueryRefused when it may not run."""
    from ministack.services import athena

    name = request.get("WorkGroup") or "primary"
    workgroup = athena._workgroups.get(name)
    if workgroup is None:
        raise QueryRefused(f"WorkGroup {name} is not found.")
    if workgroup.get("State") == "DISABLED":
        raise QueryRefused(f"WorkGroup {name} is disabled.")
    configuration = workgroup.get("Configuration") or {}
    own, asked = configuration.get("ResultConfiguration") or {}, request.get("ResultConfiguration") or {}
    # AWS enforces the configuration of a workgroup unless it says otherwise; primary is made with false.
    enforced = configuration.get("EnforceWorkGroupConfiguration", name != "primary")
    chosen = own if enforced else {**own, **asked}
    output = chosen.get("OutputLocation")
    if not output:
        raise QueryRefused(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    encryption = chosen.get("EncryptionConfiguration")
    if encryption and encryption.get("EncryptionOption") == "CSE_KMS":
        raise QueryRefused("Client-side encryption of results (CSE_KMS) is not supported locally.")
    return Rules(
        workgroup=name,
        output=output.rstrip("/") + "/",
        encryption=encryption,
        cutoff=configuration.get("BytesScannedCutoffPerQuery"),
        publishes_metrics=configuration.get("PublishCloudWatchMetricsEnabled", True),
    )
