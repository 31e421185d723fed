#!/usr/bin/env bash
# Makes the state bucket and the lock table, once for each account. Running it again does no harm.
# The AWS CLI is not needed: the Python that `make setup` installed talks to AWS.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -x .venv/bin/python ]; then
  echo "bootstrap.sh: .venv is missing; run 'make setup' first." >&2
  exit 1
fi
exec .venv/bin/python scripts/bootstrap_state.py "$@"
