"""Change one thing after the other in Terraform, and look whether a test or a check notices.

tests/terraform/mutations.yaml says what is changed and what that would allow. Runs in the copy that
scripts/mutation_terraform.sh makes, and writes over the files there. One pytest session judges all mutations: first the
tests that read a mocked apply, then checkov, then the tests that run Terraform themselves.
"""

import argparse
import hashlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from scripts import roots
from scripts.repeated_tests import failed, failure, forget
from scripts.terraform import terraform_environment

LIST = Path("tests/terraform/mutations.yaml")
RESULTS = Path("results.txt")
TERRAFORM = Path("terraform")
TESTS = tuple(
    f"tests/terraform/test_{name}.py"
    for name in (
        "kinds", "policies", "operations", "alarms", "messages", "money", "names", "dashboard", "delivery_roles",
        "tree", "values", "modules",
    )
)  # fmt: skip
# Terraform is valid and formatted here, and what the dataset module's own tests say is run once.
BESIDES = "not is_valid and not is_formatted and not syntax_error and not follows_its_contract"
CHECKOV = (
    *("../../.venv-checks/bin/checkov", "--quiet", "--compact", "--directory", "terraform", "--framework", "terraform"),
    *("--skip-download", "--config-file", ".checkov.yaml"),
)
CAUGHT_AT_LEAST = 0.95
_SECONDS_A_TEST = 120
_LOCAL_SOURCE = re.compile(r'source\s*=\s*"(\.\.?/[^"]+)"')
_FAILED_CHECK = re.compile(r"^Check: (\S+):", re.MULTILINE)


class MutationError(Exception):
    """A mutation that changes nothing, or something that Terraform does not take."""


@dataclass(frozen=True)
class Mutation:
    """One change of one file below terraform/: ``find``, which is there once, becomes ``replace``.

    ``allows`` says what would happen on AWS if it were deployed.
    """

    id: str
    file: str
    find: str
    replace: str
    allows: str

    def of(self, text: str) -> str:
        """The changed text; raises MutationError when there is not exactly one place for the change."""
        if (found := text.count(self.find)) != 1:
            raise MutationError(f"{self.id}: {self.file} has {found} times, not once: {self.find}")
        if self.find == self.replace:
            raise MutationError(f"{self.id}: it changes nothing")
        return text.replace(self.find, self.replace)


def read(path: Path = LIST) -> list[Mutation]:
    """All mutations of the list, whose ids are the keys below each file."""
    listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Mutation(id=name, file=file, **of) for file, changes in listed.items() for name, of in changes.items()]


class Mutants:
    """A pytest plugin: all tests as they are, then for each mutation until one fails, then as they are again."""

    def __init__(self, mutations: list[Mutation]) -> None:
        self.mutations = mutations
        self.outcomes: dict[str, str] = {}

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        """A mocked apply of files that are as they were says what it said: the mutations change few roots each."""
        conftest = importlib.import_module("tests.terraform.conftest")
        conftest.mocked_apply = Remembered(conftest.mocked_apply)  # type: ignore[attr-defined]  # not exported

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running each test once."""
        cheap, dear = by_cost(session.items)
        self._as_they_are([*cheap, *dear])
        with RESULTS.open("w", encoding="utf-8") as results:
            for mutation in self.mutations:
                begun = time.monotonic()
                forget(session)
                with changed(mutation):
                    outcome = _first(cheap) or _checkov() or _first(dear) or "survived"
                    if outcome.startswith("setup of"):
                        outcome = _invalid() or outcome
                self.outcomes[mutation.id] = outcome
                for out in (sys.stdout, results):
                    print(f"{mutation.id}: {outcome} ({time.monotonic() - begun:.0f} s)", file=out, flush=True)
        forget(session)
        self._as_they_are(cheap)
        return True

    def _as_they_are(self, items: list[pytest.Item]) -> None:
        """A test that fails without a mutation would call every one caught."""
        for item, following in _with_following(items):
            if why := failure(item, _SECONDS_A_TEST, following):
                raise pytest.UsageError(f"{item.nodeid} fails without any mutation\n{why}")


class Remembered:
    """``mocked_apply``, which Terraform needs seconds for, once for each state of the files that it reads."""

    def __init__(self, apply: Callable[..., str]) -> None:
        self._apply = apply
        self._said: dict[str, str] = {}

    def __call__(self, folder: Path, terraform: object, *options: str) -> str:
        """Return what `terraform test` says about a root."""
        key = _digest([*_read_by(folder), *_variables(options)]) + " ".join(
            option for option in options if not Path(option.partition("=")[2]).is_absolute()
        )
        if key not in self._said:
            self._said[key] = self._apply(folder, terraform, *options)
        return self._said[key]


def _read_by(folder: Path) -> Iterator[Path]:
    """The files of a root, of the modules that it uses, and the contracts beside it."""
    left, seen = [folder.resolve()], set[Path]()
    while left:
        here = left.pop()
        if here in seen:
            continue
        seen.add(here)
        for file in sorted(path for pattern in ("*.tf", "*.tfvars", "tests/*.hcl") for path in here.glob(pattern)):
            left += [(here / source).resolve() for source in _LOCAL_SOURCE.findall(file.read_text(encoding="utf-8"))]
            yield file
    repository = next(parent for parent in folder.resolve().parents if parent.name == "terraform").parent
    yield from sorted((repository / "contracts").rglob("*.yaml"))


def _variables(options: Iterable[str]) -> Iterator[Path]:
    for option in options:
        name, _, value = option.partition("=")
        if name == "-var-file" and Path(value).is_absolute():
            yield Path(value)


def _digest(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def by_cost(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests that read what a fixture has made, those that ask for little first; and those that run Terraform."""
    asked = {item: set(item._fixtureinfo.argnames) for item in items}  # type: ignore[attr-defined]  # functions
    ordered = sorted(items, key=lambda item: (_fixtures(item), item.nodeid.split("::")[0]))
    cheap = [item for item in ordered if "terraform" not in asked[item]]
    return cheap, [item for item in ordered if "terraform" in asked[item]]


def _fixtures(item: pytest.Item) -> int:
    """Return how many fixtures a test needs, without what it is called with."""
    given = getattr(item, "callspec", None)
    return len(set(getattr(item, "fixturenames", ())) - set(given.params if given else ()))


def _first(items: list[pytest.Item]) -> str:
    """The first test that fails and at what, or nothing."""
    for item, following in _with_following(items):
        for report in failed(item, _SECONDS_A_TEST, following):
            name = item.nodeid.removeprefix("tests/terraform/")
            return f"setup of {name}" if report.when == "setup" else name
    return ""


def _with_following(items: list[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item | None]]:
    yield from zip(items, [*items[1:], None], strict=True)


def _checkov() -> str:
    """The checks of checkov that fail, or nothing."""
    said = subprocess.run(CHECKOV, capture_output=True, text=True, check=False)
    failed = sorted(set(_FAILED_CHECK.findall(said.stdout)))
    if said.returncode and not failed:
        raise MutationError(f"checkov says nothing of use: {said.stdout}{said.stderr}")
    return f"checkov {' '.join(failed)}" if failed else ""


def _invalid() -> str:
    """Return what Terraform says against the files as they are, or nothing: such a mutation could never be deployed."""
    for folder in (TERRAFORM / "bootstrap", *(roots.folder(root) for root in (roots.PLATFORM, *roots.pipelines()))):
        _terraform(folder, "init", "-backend=false", "-input=false")
        said = _terraform(folder, "validate", "-no-color")
        if said.returncode:
            return f"INVALID {' '.join(said.stderr.split())}"
    return ""


def _terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as settings:
        environment = terraform_environment(os.environ, Path(settings))
        command = ["terraform", f"-chdir={folder}", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def changed(mutation: Mutation) -> Iterator[None]:
    """The file with the change, in the house's format: a test of the format must not be what notices it."""
    file = TERRAFORM / mutation.file
    text = file.read_text(encoding="utf-8")
    file.write_text(mutation.of(text), encoding="utf-8")
    subprocess.run(["terraform", "fmt", str(file)], capture_output=True, check=False)
    try:
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def table(mutations: list[Mutation], outcomes: dict[str, str]) -> Iterator[str]:
    """A line for each mutation that survived or cannot be deployed, then how many each kind of catcher caught."""
    for mutation in mutations:
        if outcomes[mutation.id].startswith(("survived", "INVALID")):
            yield f"{outcomes[mutation.id]}: {mutation.id} would allow: {mutation.allows}"
    caught = Counter(
        outcome.split("::")[0].split(" ")[0] for outcome in outcomes.values() if outcome not in ("survived",)
    )
    for catcher, number in caught.most_common():
        yield f"{number:5d} noticed by {catcher}"
    yield f"{len(outcomes):5d} mutations, {share(outcomes):.1%} noticed"


def share(outcomes: dict[str, str]) -> float:
    """The part that was noticed."""
    return sum(not outcome.startswith(("survived", "INVALID")) for outcome in outcomes.values()) / len(outcomes)


def main() -> int:
    """Run every mutation; 1 when too few are noticed, or one of them cannot be deployed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="a sample: only every n-th mutation (default 1)")
    parser.add_argument("only", nargs="*", help="ids, or the beginnings of ids; default: all")
    asked = parser.parse_args()
    mutations = [of for of in read() if not asked.only or of.id.startswith(tuple(asked.only))][:: asked.every]
    mutants = Mutants(mutations)
    pytest.main([*TESTS, "-k", BESIDES], plugins=[mutants])
    if mutants.outcomes.keys() != {of.id for of in mutations}:
        return 2
    print("\n".join(table(mutations, mutants.outcomes)))
    broken = any(outcome.startswith("INVALID") for outcome in mutants.outcomes.values())
    return int(broken or share(mutants.outcomes) < CAUGHT_AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
