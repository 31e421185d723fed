#!/usr/bin/env bash
# Changes one thing after the other in Terraform and looks whether a test or a check notices, in a copy below build/.
# Each takes about ten seconds of one core. Arguments: ids of tests/terraform/mutations.yaml, or their beginnings; or, for
# a sample, --every 3.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=build/mutation-terraform
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard contracts demos docs drills glue_jobs lake lambdas scripts simulators templates terraform tests '*.md' '*.toml' .checkov.yaml conftest.py |
  xargs -0 cp --parents -t "$copy"
cd "$copy"
../../.venv/bin/python -m scripts.terraform_mutants "$@"
