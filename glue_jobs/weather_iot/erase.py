"""Erasure of weather_iot: all that is stored of one sensor goes. A job of its own, because of what its role may do."""

import sys
from collections.abc import Sequence

from lake.operations.job import Job


def main(arguments: Sequence[str]) -> None:
    """Erase the subject that the arguments name; raises JobFailed, OperationUnknown when asked for anything else."""
    job = Job.from_arguments(arguments, only="erase")
    job.run_each({})
    job.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
