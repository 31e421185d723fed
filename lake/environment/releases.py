"""Releases: which code the jobs and functions of a root of Terraform had after each deployment, and the way back.

The code of a job lies in the code bucket below ``jobs/<pipeline>/<job>/<code version>/``; a function has published
versions, of which the alias ``live`` is the one that is called. Both stay when a deployment brings newer ones. A
release is an object ``releases/<root>/<time>.json`` in the code bucket: which versions belong together.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lake.core.errors import LakeError
from lake.core.s3 import Location, Storage
from lake.environment.deployment import Platform

PLATFORM = "platform"
LIVE = "live"
_SCRIPT, _VERSION, _WHEEL = "--scriptLocation", "--code_version", "--additional-python-modules"


class NoSuchRelease(LakeError):
    """There is no release to go back to, or none of that time; the message says which there are."""


@dataclass(frozen=True)
class Release:
    """Versions that were deployed together: name of each job => its code version, name of each function => its version.

    ``at`` is when the deployment ended, in UTC, as in ``20261127T121500Z``; empty for what runs now.
    """

    at: str
    jobs: Mapping[str, str]
    functions: Mapping[str, str]

    def same_code(self, other: "Release") -> bool:
        """Tell whether the other one has the same versions."""
        return (self.jobs, self.functions) == (other.jobs, other.functions)

    def changes_to(self, other: "Release") -> list[tuple[str, str, str]]:
        """Return name, version here and version there of each part that differs; ``-`` where there is none."""
        here, there = {**self.jobs, **self.functions}, {**other.jobs, **other.functions}
        names = sorted({*here, *there})
        return [
            (name, here.get(name, "-"), there.get(name, "-")) for name in names if here.get(name) != there.get(name)
        ]


def live(platform: Platform, root: str) -> Release:
    """Return what runs now in a root, ``platform`` or a pipeline; raises NoSuchRelease when there is no such root."""
    roots = {PLATFORM: {"functions": {"watch": platform.names["watch"]}}, **platform.pipelines}
    if root not in roots:
        raise NoSuchRelease(f"there is no pipeline {root}; there are: {', '.join(roots)}")
    registered = roots[root]
    jobs = [*registered.get("jobs", {}).values(), *registered.get("operations", {}).values()]
    client = platform.client("lambda")
    return Release(
        "",
        {name: platform.job_arguments(name)[_VERSION] for name in sorted(jobs)},
        {
            name: client.get_alias(FunctionName=name, Name=LIVE)["FunctionVersion"]
            for name in sorted(registered.get("functions", {}).values())
        },
    )


def listed(platform: Platform, root: str) -> list[Release]:
    """Return the releases of a root, newest first."""
    s3, bucket = platform.client("s3"), platform.names["code_bucket"]
    keys = sorted((entry.key for entry in Storage(s3).list(Location(bucket, f"releases/{root}/"))), reverse=True)
    return [Release(**json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])) for key in keys]


def record(platform: Platform, root: str, now: datetime) -> Release | None:
    """Write down what runs now as a release; None when the newest one says the same."""
    found, known = live(platform, root), listed(platform, root)
    if known and known[0].same_code(found):
        return None
    release = Release(now.strftime("%Y%m%dT%H%M%SZ"), found.jobs, found.functions)
    body = json.dumps({"at": release.at, "jobs": release.jobs, "functions": release.functions}, indent=1)
    key = f"releases/{root}/{release.at}.json"
    platform.client("s3").put_object(Bucket=platform.names["code_bucket"], Key=key, Body=body.encode())
    return release


def chosen(platform: Platform, root: str, at: str | None) -> Release:
    """Return the release of that time; without one, the newest that has other code than what runs now.

    Raises NoSuchRelease.
    """
    known, now = listed(platform, root), live(platform, root)
    fitting = [release for release in known if (release.at == at if at else not release.same_code(now))]
    # What is newer than what runs has been gone back from already.
    current = next((release.at for release in known if release.same_code(now)), None)
    older = [release for release in fitting if at or current is None or release.at < current]
    if not older:
        times = ", ".join(release.at for release in known) or "none"
        raise NoSuchRelease(f"{root} has no release {at or 'before what runs now'}; there are: {times}")
    return older[0]


def switch(platform: Platform, release: Release) -> None:
    """Let jobs and functions run the code of a release; what runs it already is left alone.

    Raises NoSuchRelease, before anything is switched, when the code of a job is not there any more.
    """
    deployed = {job: platform.job_arguments(job) for job in release.jobs}
    codes = {
        job: _code(platform, deployed[job][_SCRIPT], version)
        for job, version in release.jobs.items()
        if deployed[job][_VERSION] != version
    }
    for job, code in codes.items():
        _update_job(platform, job, code)
    client = platform.client("lambda")
    for function, version in release.functions.items():
        if client.get_alias(FunctionName=function, Name=LIVE)["FunctionVersion"] != version:
            client.update_alias(FunctionName=function, Name=LIVE, FunctionVersion=version)


def _code(platform: Platform, script: str, version: str) -> dict[str, str]:
    """The arguments that say where the code of a version is; raises NoSuchRelease when it is not there any more."""
    bucket, _, key = script.removeprefix("s3://").partition("/")
    folder = f"{key.rsplit('/', 2)[0]}/{version}/"
    entries = Storage(platform.client("s3")).list(Location(bucket, folder))
    found = {entry.key.rpartition(".")[2]: f"s3://{bucket}/{entry.key}" for entry in entries}
    if not {"py", "whl"} <= found.keys():
        raise NoSuchRelease(f"s3://{bucket}/{folder} does not hold a script and a wheel any more")
    return {_SCRIPT: found["py"], "--extra-py-files": found["py"], _WHEEL: found["whl"], _VERSION: version}


def _update_job(platform: Platform, name: str, code: Mapping[str, str]) -> None:
    """Replace the code in a job's definition, in one call: UpdateJob takes the whole of it."""
    client = platform.client("glue")
    job = client.get_job(JobName=name)["Job"]
    known = set(client.meta.service_model.shape_for("JobUpdate").members)
    update = {key: job[key] for key in known - set(_without(job)) if job.get(key) not in (None, "")}
    update["Command"] = {**job["Command"], "ScriptLocation": code[_SCRIPT]}
    update["NonOverridableArguments"] = {**job["NonOverridableArguments"], **code}
    client.update_job(JobName=name, JobUpdate=update)


def _without(job: Mapping[str, Any]) -> Iterator[str]:
    """Fields that UpdateJob refuses beside a worker type, although GetJob has them."""
    if job.get("WorkerType"):
        yield from ("AllocatedCapacity", "MaxCapacity")
