"""Ask for known vulnerabilities of every lock; needs the network. Ends with 1 when there is one.

An exception stands in ACCEPTED with its reason and the day on which to look again; after that day it is none.
"""

import argparse
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

# Not from scripts.roots: the environment of the auditors has no boto3.
REPOSITORY = Path(__file__).parents[2]
AUDITOR = REPOSITORY / ".venv-audit/bin/pip-audit"
# Advisory => why it does not matter here, and until when that holds.
ACCEPTED: dict[str, tuple[str, date]] = {}


def accepted(today: date) -> list[str]:
    """The advisories that are accepted today."""
    return [advisory for advisory, (_why, until) in ACCEPTED.items() if today <= until]


def main() -> int:
    """Command line."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    ignored = [part for advisory in accepted(datetime.now(UTC).date()) for part in ("--ignore-vuln", advisory)]
    failed = []
    for lock in sorted((REPOSITORY / "requirements").glob("*.txt")):
        print(lock.name, flush=True)
        # Hashed locks are complete: nothing has to be resolved, so nothing is installed.
        command = [str(AUDITOR), "--disable-pip", "--require-hashes", *ignored, "--requirement", str(lock)]
        if subprocess.run(command, check=False).returncode:
            failed.append(lock.name)
    print(f"vulnerable: {', '.join(failed)}" if failed else "no known vulnerability")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
