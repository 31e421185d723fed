"""Snapshots of deployed lakes, one for each set of inputs: Terraform deploys once what many tests begin with."""

import fcntl
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

# Snapshots of earlier inputs that stay, for who goes back and forth between two branches.
EARLIER = 3
NOT_INPUT = {".terraform", "__pycache__"}


def kept(
    folder: Path,
    inputs: Iterable[Path],
    make: Callable[[Path], None],
    good: Callable[[Path], bool] = lambda _snapshot: True,
) -> Path:
    """The snapshot of these inputs, files or folders, in `folder`. The first that asks makes it, others wait for that.

    `make` gets an empty folder; nothing is kept when it raises. A snapshot that is not `good` any more is made anew.
    """
    snapshot = folder / fingerprint(inputs)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{snapshot.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if snapshot.is_dir() and not good(snapshot):
            shutil.rmtree(snapshot)
        if snapshot.is_dir():
            snapshot.touch()
        else:
            _forget(folder, EARLIER)
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                fresh = Path(scratch) / snapshot.name
                fresh.mkdir(mode=0o700)
                make(fresh)
                fresh.rename(snapshot)
    return snapshot


def fingerprint(inputs: Iterable[Path]) -> str:
    """Differs when a name or a byte of the inputs does, or the Python that reads the snapshot."""
    digest = hashlib.sha256(sys.version.encode())
    for file in (file for path in inputs for file in _files(path)):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def _files(path: Path) -> Iterator[Path]:
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    yield from (file for file in files if file.is_file() and not NOT_INPUT & set(file.parts))


def _forget(folder: Path, keep: int) -> None:
    """Remove all snapshots but those used last. Who starts from one reads it at once."""
    snapshots = [path for path in folder.iterdir() if path.with_name(f"{path.name}.lock").exists() and path.is_dir()]
    for path in sorted(snapshots, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(path)
