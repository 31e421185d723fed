"""Build what Terraform deploys: a package for each function, and the wheel of the jobs. Same input, same bytes.

Writes build/artifacts/<pipeline>/<function>.zip for each lambdas/<pipeline>/<function>/, and the folder
build/artifacts/jobs/<pipeline>/<job>/<code version>/ with script and wheel for each glue_jobs/<pipeline>/<job>.py.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parent.parent
REQUIREMENTS = REPOSITORY / "requirements/lambda.txt"
# The runtime of the functions: Terraform says python3.13, and x86_64 is Lambda's default.
TARGET = ("--python-platform", "x86_64-manylinux2014", "--python-version", "3.13")
# Zip files cannot hold an earlier moment. It is also what hatchling takes when it is told 315532800.
FORCE_INCLUDE = '\n[tool.hatch.build.targets.wheel.force-include]\ncontracts = "lake/contracts"\n'
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
SOURCE_DATE_EPOCH = "315532800"
# Differs from machine to machine, or is of no use inside a package.
UNWANTED_FOLDERS = frozenset({"__pycache__", "bin"})
UNWANTED_NAMES = frozenset({".lock", "INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"})


class BuildError(Exception):
    """Something that the person who builds can mend; the message says what."""


def uv() -> str:
    """Path of uv: the one of the set-up or the one on the PATH."""
    found = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise BuildError("uv is missing; run 'make setup' first")
    return found


def run(command: list[str], *, folder: Path = REPOSITORY, extra_environment: dict[str, str] | None = None) -> None:
    """Run quietly; show everything the command said when it fails."""
    environment = os.environ | (extra_environment or {})
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}".rstrip())


def dependencies(cache: Path) -> Path:
    """Folder with the installed requirements of the functions; made once for each lock."""
    identity = hashlib.sha256(REQUIREMENTS.read_bytes() + " ".join(TARGET).encode()).hexdigest()[:16]
    folder = cache / f"lambda-{identity}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fresh = Path(scratch) / "site"
        options = ("--only-binary", ":all:", "--require-hashes", "--no-compile-bytecode", "--no-deps")
        run([uv(), "pip", "install", "--quiet", "--target", str(fresh), *TARGET, *options, "-r", str(REQUIREMENTS)])
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another build was faster, with the same result
                raise
    return folder


def functions(lambdas: Path) -> dict[str, Path]:
    """Name of the package, <pipeline>/<function>, => folder of each function."""
    found = {"/".join(handler.parts[-3:-1]): handler.parent for handler in sorted(lambdas.glob("*/*/handler.py"))}
    if not found:
        raise BuildError(f"no function under {lambdas}: expected <pipeline>/<function>/handler.py")
    return found


def wanted(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name in the package and path of each file of a folder."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not UNWANTED_FOLDERS & set(name.parts[:-1]) and name.name not in UNWANTED_NAMES:
            yield name.as_posix(), path


def write_package(package: Path, folders: list[Path]) -> None:
    """One zip file of all folders; sorted, without times, owners and modes. Stored, because compressors differ."""
    files: dict[str, Path] = {}
    for name, path in (item for folder in folders for item in wanted(folder)):
        if name in files:
            raise BuildError(f"{package.name}: {name} comes from {files[name]} and from {path}")
        files[name] = path
    partial = package.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, ZIP_EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    partial.replace(package)


def rooms(artefact: str) -> list[str]:
    """The rooms of `lake` that go into the artefact ``functions`` or ``jobs``, from pyproject.toml."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    named: list[str] = settings["tool"]["lake"]["artefacts"][artefact]
    return named


def copy_rooms(artefact: str, folder: Path) -> None:
    """Copy the artefact's rooms of `lake` into ``folder``, as the package `lake`."""
    unwanted = shutil.ignore_patterns(*UNWANTED_FOLDERS)
    for room in rooms(artefact):
        shutil.copytree(REPOSITORY / "lake" / room, folder / "lake" / room, ignore=unwanted)
    shutil.copy2(REPOSITORY / "lake/__init__.py", folder / "lake")


def write_wheel(artifacts: Path) -> Path:
    """Write the wheel of the jobs: their rooms of `lake`, contracts inside.

    What jobs do not run is not in it, so a change of the report or of a command changes no job's code version. Older
    versions are removed: Terraform takes the only one.
    """
    with tempfile.TemporaryDirectory(dir=artifacts) as scratch:
        project = Path(scratch) / "project"
        copy_rooms("jobs", project)
        write_contracts(project / "contracts")
        (project / "pyproject.toml").write_text(_job_project(), encoding="utf-8")
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch]
        run(command, folder=project, extra_environment={"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH})
        (fresh,) = Path(scratch).glob("*.whl")
        return fresh.replace(artifacts / fresh.name)


def write_jobs(artifacts: Path, wheel: Path) -> list[Path]:
    """Write what each job runs: script and wheel, in a folder called by the digest of both.

    A deployment adds such a folder to the code bucket and lets the job point to it, so no run ever has the script of
    one release and the wheel of another. Folders of other versions are removed here: Terraform takes the only one.
    """
    written: list[Path] = []
    folder = artifacts / "jobs"
    shutil.rmtree(folder, ignore_errors=True)
    for script in scripts():
        target = folder / script.parent.name / script.stem / code_version(script, wheel)
        target.mkdir(parents=True)
        written += [Path(shutil.copy2(file, target)) for file in (script, wheel)]
    return written


def scripts() -> list[Path]:
    """The script of each job, glue_jobs/<pipeline>/<job>.py."""
    return sorted((REPOSITORY / "glue_jobs").glob("*/*.py"))


def code_version(script: Path, wheel: Path) -> str:
    """Twelve digits that say which code a run of the job has, wherever it was deployed from."""
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (script, wheel)]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:12]


def write_contracts(folder: Path) -> None:
    """Write the contracts as JSON into ``folder``, below the name of their pipeline: Glue cannot read YAML."""
    for contract in sorted((REPOSITORY / "contracts").glob("*/*.yaml")):
        target = folder / contract.parent.name / f"{contract.stem}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        document = yaml.safe_load(contract.read_text(encoding="utf-8"))
        target.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")


def _job_project() -> str:
    """The part of pyproject.toml that says what the wheel is: no commands, no plugins, no settings of tools."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    project = text.partition("[project.")[0]
    build_system = text.partition("[build-system]")[2].partition("[tool.lake")[0]
    return f"{project}[build-system]{build_system}{FORCE_INCLUDE}"


@contextlib.contextmanager
def alone(artifacts: Path) -> Iterator[None]:
    """One build at a time writes into ``artifacts``; another one waits."""
    artifacts.parent.mkdir(parents=True, exist_ok=True)
    with artifacts.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(artifacts: Path, cache: Path) -> list[Path]:
    """All artefacts."""
    artifacts.mkdir(parents=True, exist_ok=True)
    installed = dependencies(cache)
    with tempfile.TemporaryDirectory(dir=artifacts) as scratch:
        built = write_jobs(artifacts, write_wheel(Path(scratch)))
    with tempfile.TemporaryDirectory(dir=artifacts) as scratch:
        copy_rooms("functions", Path(scratch))
        for name, folder in functions(REPOSITORY / "lambdas").items():
            package = artifacts / f"{name}.zip"
            package.parent.mkdir(exist_ok=True)
            write_package(package, [installed, Path(scratch), folder])
            built.append(package)
    return built


def main() -> int:
    """Command line; 0 when everything is built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=REPOSITORY / "build/artifacts", help="where to put them")
    parser.add_argument("--cache", type=Path, default=REPOSITORY / ".cache", help="where requirements are kept")
    arguments = parser.parse_args()
    try:
        artifacts = arguments.artifacts.resolve()
        with alone(artifacts):
            built = build(artifacts, arguments.cache.resolve())
        for path in built:
            digest, name = hashlib.sha256(path.read_bytes()).hexdigest()[:12], path.relative_to(artifacts)
            print(f"{digest}  {path.stat().st_size:>10,}  {name}")
    except BuildError as error:
        print(f"build failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
