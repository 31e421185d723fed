"""Run tests of the jobs in the Python environment of Glue: its own releases of boto3, pandas and pyarrow.

What Glue lacks, pytest and localaws, comes after Glue's packages on the path, so that it replaces none of them.
"""

import os
import runpy
import site
import sys
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
# In AWS's image they are elsewhere: docker/glue/compose.yaml.
GLUE_PYTHON = Path(os.environ.get("GLUE_TEST_PYTHON") or REPOSITORY / ".venv-glue/bin/python")
PYTHON = Path(os.environ.get("GLUE_TEST_PACKAGES") or REPOSITORY / ".venv/bin/python")
# Everything in which Spark works on rows.
TESTS = (
    *(f"tests/lake/test_{name}.py" for name in ("frames", "privacy", "rules", "staging", "refresh")),
    *sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("tests/pipelines/*/unit/test_transform*.py")),
)


def main() -> None:
    """Run the tests that are named, or all of TESTS; ends with pytest's exit code."""
    os.chdir(REPOSITORY)
    if Path(sys.prefix) != GLUE_PYTHON.parents[1]:
        os.environ["LOCALAWS_PYTHON"] = str(PYTHON)
        os.execv(GLUE_PYTHON, [str(GLUE_PYTHON), "-m", "scripts.glue_test", *sys.argv[1:]])  # noqa: S606 - a path of this checkout
    (packages,) = PYTHON.parents[1].glob("lib/python3*/site-packages")
    site.addsitedir(str(packages))
    print(*(f"{name} {version(name)}" for name in ("boto3", "numpy", "pandas", "pyarrow")), flush=True)
    sys.argv = ["pytest", *(sys.argv[1:] or TESTS)]
    runpy.run_module("pytest", run_name="__main__")


if __name__ == "__main__":
    main()
