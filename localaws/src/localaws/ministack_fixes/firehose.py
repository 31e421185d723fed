"""The description of a Firehose stream's destination.

MiniStack: leaves out the time zone and the extension of file names, so that Terraform plans to set them again for ever.
Superfluous when MiniStack's DescribeDeliveryStream returns CustomTimeZone and FileExtension.
"""

from typing import Any

from ministack.services import firehose

from localaws.core.patching import wrap


def install() -> None:
    """Describe destinations in full."""
    wrap(firehose, "_dest_description", _describe_destination_in_full)


def _describe_destination_in_full(original: Any, destination: Any) -> Any:
    description = original(destination)
    s3 = description.get("ExtendedS3DestinationDescription")
    if s3 is not None:
        s3["CustomTimeZone"] = destination["config"].get("CustomTimeZone", "UTC")
        if "FileExtension" in destination["config"]:
            s3["FileExtension"] = destination["config"]["FileExtension"]
    return description
