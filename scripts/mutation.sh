#!/usr/bin/env bash
# Changes one thing after the other in the code of the data path and looks whether a fast test notices, in a copy below
# build/: first the modules that pyproject.toml names, a process for each change; then those that only Spark can judge,
# in one process. Takes about an hour on two cores; the first half goes on where the last one ended. Arguments are for
# the second half, e.g. --every 3.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=build/mutation
mkdir -p "$copy"
git ls-files -z lake contracts demos drills glue_jobs lambdas scripts simulators tests RUNBOOK.md docs/runbooks pyproject.toml | xargs -0 cp --parents -t "$copy"
ln -sfn ../../.cache "$copy/.cache"
cd "$copy"
python=../../.venv-mutation/bin/python
../../.venv-mutation/bin/mutmut run >mutation.log || { tail -n 20 mutation.log >&2; exit 1; }
../../.venv-mutation/bin/mutmut results --all true | sed 's/^ *//; s/: timeout$/: killed/' | sort >results.txt
"$python" -m scripts.spark_mutants "$@" >spark.log || { tail -n 20 spark.log >&2; exit 1; }

echo "those that survived are in $copy/results.txt and, with what they change, in $copy/spark_survivors.diff"
awk -F ': ' -f - results.txt spark_results.txt <<'TABLE' | sort
{ module = $1; sub(/\.x[^.]*$/, "", module); made[module]++; killed[module] += $2 == "killed" }
END {
  for (module in made) {
    share = 100 * killed[module] / made[module]; poor += share < 90
    printf "%-20s killed %4d of %4d, %5.1f %%\n", module, killed[module], made[module], share
  }
  exit poor > 0
}
TABLE
