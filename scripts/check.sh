#!/usr/bin/env bash
# Everything that can be judged without running the lake. Goes on after a finding, and fails at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

judge() { # name, command …
  local log="$logs/$1"
  if "${@:2}" >"$log" 2>&1; then
    printf 'ok      %s\n' "$1"
  else
    touch "$log.failed"
    printf 'FAILED  %s\n%s\n' "$1" "$(cat "$log")"
  fi
}

check() { # name, command …: as many at once as there are cores. Bash 3.2 of macOS has no `wait -n`
  while [ "$(jobs -rp | wc -l)" -ge "$(getconf _NPROCESSORS_ONLN)" ]; do wait -n 2>/dev/null || wait; done
  judge "$@" &
}

functions() { # each function is a package of its own with flat imports
  local folder status=0
  for folder in lambdas/*/*/; do
    (cd "$folder" && "$OLDPWD/.venv/bin/mypy" --config-file "$OLDPWD/pyproject.toml" --cache-dir "$OLDPWD/.mypy_cache/$folder" ./*.py) || status=1
  done
  return "$status"
}

contracts() {
  local contract status=0
  for contract in contracts/*/*.yaml; do
    .venv-checks/bin/datacontract lint "$contract" >build/lint.txt 2>&1 || status=1
    if grep -qi -e warning -e failed -e error build/lint.txt; then status=1; fi
    if [ "$status" -ne 0 ]; then cat build/lint.txt; return 1; fi
  done
}

terraform_format() { terraform fmt -check -recursive -diff terraform; }

workflows() { # the scripts of steps too, by the shellcheck that is on the PATH
  PATH="$PWD/.venv-checks/bin:$PATH" .cache/actionlint/actionlint -no-color .github/workflows/*.yml
}

mkdir -p build
.venv/bin/python scripts/build.py >/dev/null || exit 1

check 'format of Python'       .venv/bin/ruff format --check .
check 'lint of Python'         .venv/bin/ruff check .
check 'types'                  .venv/bin/mypy lake localaws/src demos drills glue_jobs scripts simulators tests localaws/tests
check 'types of functions'     functions
check 'contracts (ODCS 3.1)'   contracts
check 'shell scripts'          .venv-checks/bin/shellcheck scripts/*.sh terraform/*.sh .ci/run
check 'format of Terraform'    terraform_format
check 'Terraform of every root' .venv/bin/python -m scripts.terraform validate
check 'security of Terraform'  .venv-checks/bin/checkov --quiet --compact --directory terraform --framework terraform --skip-download --config-file .checkov.yaml
check 'security of workflows'  .venv-checks/bin/zizmor --offline --persona auditor .github
# It needs Go to be installed; without Go the pull request's own run has it.
if [ -x .cache/actionlint/actionlint ]; then check 'workflows' workflows; else echo 'missing workflows: actionlint needs Go'; fi

wait
failed=("$logs"/*.failed)
if [ -e "${failed[0]}" ]; then
  printf '\n%d checks failed:\n' "${#failed[@]}" >&2
  basename -s .failed "${failed[@]}" >&2
  exit 1
fi
