"""Look for credentials in the files that a change touches. Ends with 1 when one is found."""

import argparse
import subprocess
import sys
from pathlib import Path

# Not from scripts.roots: the environment of the auditors has no boto3.
REPOSITORY = Path(__file__).parents[2]
SCANNER = REPOSITORY / ".venv-audit/bin/detect-secrets-hook"
# Words and random-looking text are everywhere in code about keys; what is left knows the forms of real credentials.
UNUSED = ("KeywordDetector", "HexHighEntropyString", "Base64HighEntropyString")


def touched(base: str, folder: Path = REPOSITORY) -> list[str]:
    """The files that were added or changed since the commit from which the branch grew; all for the first commit."""
    # A new branch is pushed from a commit that does not exist.
    if not base.strip("0"):
        return _git(folder, "ls-files")
    return _git(folder, "diff", "--name-only", "--diff-filter=d", f"{base}...HEAD")


def _git(folder: Path, *arguments: str) -> list[str]:
    asked = subprocess.run(["git", "-C", str(folder), *arguments, "-z"], capture_output=True, text=True, check=True)
    return [name for name in asked.stdout.split("\0") if name]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="commit that the change starts from")
    given = parser.parse_args()
    files = touched(given.base)
    print(f"{len(files)} files")
    if not files:
        return 0
    command = [str(SCANNER), *(part for name in UNUSED for part in ("--disable-plugin", name)), *files]
    return subprocess.run(command, cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
