"""Versions of secrets.

MiniStack: gives a secret without a value a version, and forgets all staging labels but AWSCURRENT. Superfluous when
MiniStack's CreateSecret makes no empty version, and PutSecretValue moves every label of the request.
"""

import json
from typing import Any

from ministack.core.responses import json_response
from ministack.services import secretsmanager

from localaws.core.patching import wrap


def install() -> None:
    """Mend the creation of secrets and of their versions."""
    wrap(secretsmanager, "_create_secret", _create_without_empty_version)
    wrap(secretsmanager, "_put_secret_value", _keep_all_stages)


def _create_without_empty_version(original: Any, data: Any) -> Any:
    answer = original(data)
    if answer[0] >= 300 or "SecretString" in data or "SecretBinary" in data:
        return answer
    secretsmanager._secrets[data["Name"]]["Versions"].clear()
    return json_response({name: value for name, value in json.loads(answer[2]).items() if name != "VersionId"})


def _keep_all_stages(original: Any, data: Any) -> Any:
    answer = original(data)
    stages = data.get("VersionStages") or []
    if answer[0] >= 300 or "AWSCURRENT" not in stages:
        return answer
    body = json.loads(answer[2])
    versions = secretsmanager._resolve(data["SecretId"])[1]["Versions"]
    for stage in [stage for stage in stages if stage != "AWSCURRENT"]:
        for version in versions.values():
            version["Stages"] = [other for other in version["Stages"] if other != stage]
        versions[body["VersionId"]]["Stages"].append(stage)
    return json_response({**body, "VersionStages": versions[body["VersionId"]]["Stages"]})
