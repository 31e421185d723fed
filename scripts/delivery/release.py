"""Build what a release consists of twice, with caches of their own, and keep it only when every byte is the same.

Writes the artefacts, SHA256SUMS, and a bill of materials (CycloneDX) for each lock that goes into one of them.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import build
from scripts.roots import REPOSITORY

BILLS = REPOSITORY / ".venv-audit/bin/cyclonedx-py"
# Lock => the artefacts in which its packages are. The wheel of the jobs has no dependencies.
LOCKS = {"lambda": "functions", "delivery": "delivery"}


class NotReproducible(Exception):
    """Two builds of the same commit differ; the message names the artefacts."""


def digests(folder: Path) -> dict[str, str]:
    """File => SHA-256 of a folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def build_twice(out: Path) -> dict[str, str]:
    """Build into ``out`` what a second build has made too; raises NotReproducible."""
    with tempfile.TemporaryDirectory() as scratch:
        again = Path(scratch)
        for folder, cache in ((out, again / "cache-1"), (again / "artefacts", again / "cache-2")):
            build.build(folder, cache)
        first, second = digests(out), digests(again / "artefacts")
    differing = sorted(name for name in first | second if first.get(name) != second.get(name))
    if differing:
        raise NotReproducible(f"two builds differ in {', '.join(differing)}")
    return first


def write_bills(out: Path) -> None:
    """Write a bill of materials for each lock."""
    for lock, name in LOCKS.items():
        command = [str(BILLS), "requirements", "--output-reproducible", "--output-format", "JSON"]
        written = ["--output-file", str(out / f"{name}.cdx.json"), str(REPOSITORY / f"requirements/{lock}.txt")]
        # It searches the folder that it works in for a project of Python.
        subprocess.run([*command, *written], cwd=out, env=dict(os.environ), check=True)


def flat(out: Path) -> None:
    """Give every artefact a name without folders: a release has none."""
    for file in sorted(file for file in out.rglob("*") if file.is_file() and file.parent != out):
        file.rename(out / "-".join(file.relative_to(out).parts))
    for folder in sorted((path for path in out.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()


def main() -> int:
    """Command line; 0 when the release is complete."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build/release", help="empty or missing folder")
    given = parser.parse_args()
    out = given.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    try:
        build_twice(out)
        write_bills(out)
    except (NotReproducible, build.BuildError, subprocess.CalledProcessError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    flat(out)
    sums = "".join(f"{digest}  {name}\n" for name, digest in digests(out).items())
    (out / "SHA256SUMS").write_text(sums, encoding="ascii")
    print(sums, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
