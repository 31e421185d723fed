"""Versions of secrets.

MiniStack: gives a secret without a value a version, forgets all staging labels but AWSCURRENT, and replaces the version
that a request token names. Superfluous when MiniStack's CreateSecret makes no empty version, and PutSecretValue moves
every label of the request and refuses another value under a token that was used (ResourceExistsException).
"""

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager

from localaws.core.patching import wrap


def install() -> None:
    """Mend the creation of secrets and of their versions."""
    wrap(secretsmanager, "_create_secret", _create_without_empty_version)
    wrap(secretsmanager, "_put_secret_value", _keep_all_stages)
    wrap(secretsmanager, "_put_secret_value", _keep_a_version)


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


def _keep_a_version(original: Any, data: Any) -> Any:
    versions = (secretsmanager._resolve(data.get("SecretId"))[1] or {}).get("Versions", {})
    there = versions.get(data.get("ClientRequestToken"))
    if there is None:
        return original(data)
    if any(there.get(kind) != data.get(kind) for kind in ("SecretString", "SecretBinary")):
        text = f"The secret has a version {data['ClientRequestToken']} with another value already."
        return error_response_json("ResourceExistsException", text, 400)
    return original(data)
