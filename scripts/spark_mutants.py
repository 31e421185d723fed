"""Mutants of the modules that Spark alone can judge, all in one process with one Spark session.

mutmut runs each mutant in a process of its own, and a Spark session takes longer to start than the tests do. Its
trampolines look up the mutant at each call, so here one pytest session runs the tests again for every mutant. Runs in
the copy that scripts/mutation.sh makes, and writes over the modules there.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path

import pytest
from mutmut.mutation.data import LineSpan, read_line_spans
from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from pyspark.sql import SparkSession

from scripts.repeated_tests import failure

MODULES = (
    "lake/records/typed.py",
    "lake/pseudonyms/spark.py",
    "lake/records/rules.py",
    "lake/records/validation.py",
    "lake/tables/partition_files/merge.py",
    "lake/tables/partition_files/staging.py",
    "lake/tables/partition_files/file_names.py",
)
TESTS = tuple(f"tests/lake/test_{name}.py" for name in ("frames", "privacy", "rules", "staging", "file_names"))
RESULTS = Path("spark_results.txt")
SURVIVORS = Path("spark_survivors.diff")
_SECONDS_A_TEST = 60
_WORKERS_SEE = "MUTANT_UNDER_TEST"


class Mutants:
    """A pytest plugin: first all tests as they are, then for each mutant those that call its function, until one fails.

    ``differences`` maps the name of each mutant to what it changes.
    """

    def __init__(self, differences: dict[str, str]) -> None:
        self.differences = differences
        self.survived: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running each test once; the tests have to pass before and after all mutants."""
        callers, took = self._as_they_are(session.items)
        by_time = sorted(session.items, key=lambda item: took[item.nodeid])
        with RESULTS.open("w", encoding="utf-8") as results:
            for name in self.differences:
                function = name.rpartition("__mutmut_")[0]
                # A function that no test calls in this process is called in Spark's workers, by any of them.
                tests = [item for item in by_time if function not in callers or item.nodeid in callers[function]]
                outcome = self._outcome(name, tests, in_workers=function not in callers)
                print(f"{name}: {outcome}", file=results, flush=True)
        # A mutant that left something behind would have every later one called killed.
        self._as_they_are(session.items)
        return True

    def _as_they_are(self, items: list[pytest.Item]) -> tuple[dict[str, set[str]], dict[str, float]]:
        """Return the tests that call each function, and the seconds of each test; a failing test ends the program."""
        callers: dict[str, set[str]] = defaultdict(set)
        took = {}
        set_mutant_under_test("stats")
        for item in items:
            state()._stats.clear()
            begun = time.monotonic()
            if why := failure(item, _SECONDS_A_TEST):
                raise pytest.UsageError(f"{item.nodeid} fails without any mutation\n{why}")
            took[item.nodeid] = time.monotonic() - begun
            _take_names_to_the_letter()
            for function in state()._stats:
                callers[function].add(item.nodeid)
        return dict(callers), took

    def _outcome(self, name: str, tests: list[pytest.Item], *, in_workers: bool) -> str:
        set_mutant_under_test(name)
        with _workers_seeing(name if in_workers else None):
            for item in tests:
                if failure(item, _SECONDS_A_TEST):
                    return f"killed: {item.nodeid}"
        self.survived.append(name)
        return "survived"


def _take_names_to_the_letter() -> None:
    """Spark reads ``REASONS`` as ``reasons``, and would not notice mutants that write a column's name in capitals."""
    if session := SparkSession.getActiveSession():
        session.conf.set("spark.sql.caseSensitive", "true")


@contextmanager
def _workers_seeing(name: str | None) -> Iterator[None]:
    session = SparkSession.getActiveSession()
    if name is None or session is None:
        yield
        return
    environment = session.sparkContext.environment
    environment[_WORKERS_SEE] = name
    try:
        yield
    finally:
        del environment[_WORKERS_SEE]


def mutate(file: Path) -> dict[str, str]:
    """Write over the module; returns the difference of each mutant by its name."""
    mutated = mutate_file_contents(str(file), file.read_text(encoding="utf-8"))
    file.write_text(mutated.code, encoding="utf-8")
    module = ".".join(file.with_suffix("").parts)
    return {
        f"{module}.{name}": _difference(file, mutated.line_span_by_function_name, name) for name in mutated.mutant_names
    }


def _difference(file: Path, spans: "dict[str, LineSpan]", name: str) -> str:
    original = f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"
    before, after = read_line_spans(file, [spans[original], spans[name]])
    return "\n".join(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))


def main() -> int:
    """Run every mutant; 1 when the tests fail without one."""
    os.environ["PYTHONPATH"] = str(Path.cwd())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="a sample: only every n-th mutant of a module (default 1)")
    parser.add_argument("modules", nargs="*", default=MODULES, help="files; default: all that Spark judges")
    asked = parser.parse_args()
    differences: dict[str, str] = {}
    for file in asked.modules:
        differences |= dict(list(mutate(Path(file)).items())[:: asked.every])
    mutants = Mutants(differences)
    code = pytest.main([*TESTS], plugins=[mutants])
    SURVIVORS.write_text("\n\n".join(f"{name}\n{differences[name]}" for name in mutants.survived), encoding="utf-8")
    return int(code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED))


if __name__ == "__main__":
    sys.exit(main())
