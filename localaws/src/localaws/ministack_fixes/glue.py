"""Fields of Glue jobs.

MiniStack: drops some fields and the tags of a job on the way in, so that Terraform plans to set them again for ever.
Superfluous when MiniStack's CreateJob and UpdateJob keep all fields of the request.
"""

from typing import Any

from ministack.services import glue

from localaws.core.patching import wrap

JOB_FIELDS = {"ExecutionProperty", "ExecutionClass", "NotificationProperty"}
JOB_FIELDS |= {"JobMode", "JobRunQueuingEnabled", "MaintenanceWindow"}


def install() -> None:
    """Keep the fields of jobs that are created and updated."""
    wrap(glue, "_create_job", _keep_job_fields)
    wrap(glue, "_update_job", _keep_job_fields)


def _keep_job_fields(original: Any, data: Any) -> Any:
    answer = original(data)
    if answer[0] < 300:
        name, given = data.get("JobName") or data["Name"], data.get("JobUpdate") or data
        glue._jobs[name].update({field: given[field] for field in JOB_FIELDS if field in given})
        if data.get("Tags"):
            glue._tags[glue._arn("job", name)] = dict(data["Tags"])
    return answer
