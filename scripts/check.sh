#!/usr/bin/env bash
# Everything that can be judged without running the lake. Goes on after a finding, and fails at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failed=()

check() { # name, command …
  local name=$1 log
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    printf 'ok      %s\n' "$name"
  else
    printf 'FAILED  %s\n' "$name"
    cat "$log"
    failed+=("$name")
  fi
  rm -f "$log"
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

if [ ${#failed[@]} -gt 0 ]; then
  printf '\n%d checks failed: %s\n' "${#failed[@]}" "${failed[*]}" >&2
  exit 1
fi
