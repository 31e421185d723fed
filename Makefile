# The daily commands. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo job report test test-all bench bench-quick glue-test glue-docker-test glue-docker-run durations mutation mutation-terraform check format up down status env build doctor bootstrap delivery-roles plan judge apply adopt destroy unlock locks rights docs

ENV ?= dev
# One root alone: a pipeline, or platform. Without it the platform and every pipeline.
PIPELINE ?=
PYTHON := .venv/bin/python
# One sentence says where Terraform works: nothing but the endpoint and the credentials of the caller decide it.
TERRAFORM := $(PYTHON) -m scripts.terraform
# Tests run make as a user does, who has none of this make's variables.
# One process a core, two where tests wait (tests/tiers.py), four at most: each has a local AWS and a Spark of its own.
# Longest groups first.
PARALLEL ?= auto
PYTEST := env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS $(PYTHON) -m pytest -n $(PARALLEL) --maxprocesses 4 --dist loadgroup --no-loadscope-reorder

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what the others need, in this folder only
	@scripts/setup.sh

demo: setup ## the whole lake on this machine, on real input (PIPELINE=p: one pipeline)
	@$(PYTHON) -m scripts.demo $(if $(PIPELINE),--pipeline $(PIPELINE))

job: setup ## run JOB=j from the working tree against the local lake, in this process (PIPELINE=p, ARGUMENTS="…")
	@$(PYTHON) -m scripts.job $(JOB) --env $(ENV) $(if $(PIPELINE),--pipeline $(PIPELINE)) --arguments '$(ARGUMENTS)'

report: setup ## one page about ENV, in build/report.html
	@.venv/bin/lake report --env $(ENV)

test: ## what every change must pass: checks, unit, component, a smoke pass and one drill for each pipeline
	@scripts/setup.sh checks
	@scripts/check.sh
	@$(PYTEST) --tiers unit,component,smoke

test-all: ## every test; SHARD=k/n: one of n parts, PIPELINE=p: those of one pipeline, TIERS=t,…: those of some tiers
	@scripts/setup.sh checks
	@$(PYTEST) $(if $(SHARD),--shard $(SHARD)) $(if $(PIPELINE),--pipeline $(PIPELINE)) $(if $(TIERS),--tiers $(TIERS))

glue-test: ## the tests of the jobs with the Python packages of Glue 5.1
	@scripts/setup.sh
	@$(PYTHON) -m scripts.glue_test

glue-docker-test: setup ## the same in AWS's image of Glue (Docker; 7 GB)
	@$(PYTHON) -m scripts.glue_docker test

glue-docker-run: setup ## the deployed JOB=j in AWS's image, against a copy of the local lake (INVOKE="function …" lands data first)
	@$(PYTHON) -m scripts.glue_docker run $(JOB) $(foreach function,$(INVOKE),--invoke $(function))

bench: ## the transform against plain Spark, DuckDB and Polars on the same records, into docs/performance.md (half an hour; ROWS=n OBJECTS=n RUNS=n)
	@scripts/setup.sh bench
	@.venv-bench/bin/python -m tests.bench $(if $(ROWS),--rows $(ROWS)) $(if $(OBJECTS),--objects $(OBJECTS)) $(if $(RUNS),--runs $(RUNS))

bench-quick: ## the same with fewer records, in three minutes; writes nothing, and says whether the ratios hold
	@scripts/setup.sh bench
	@.venv-bench/bin/python -m tests.bench --quick

durations: ## run every test, and write what each file took to tests/durations.json, by which shards are cut
	@scripts/setup.sh checks
	@$(PYTEST) --store-durations

check: ## format, lint, types, Terraform, contracts, security
	@scripts/setup.sh checks
	@scripts/check.sh

mutation: ## change the code in a thousand places: does a fast test notice each (an hour; EVERY=6: a sample of what Spark judges)
	@scripts/setup.sh mutation
	@scripts/mutation.sh --every $(or $(EVERY),1)

mutation-terraform: ## change one thing after the other in Terraform: does a test or a check notice (40 minutes; EVERY=3: a sample)
	@scripts/setup.sh checks
	@scripts/mutation_terraform.sh --every $(or $(EVERY),1)

format: setup ## rewrite Python and Terraform in the house's format
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
	@terraform fmt -recursive terraform

up: setup ## start AWS on this machine
	@$(PYTHON) -m localaws up

down: ## stop it and forget all that it held
	@$(PYTHON) -m localaws down

status: ## does it run
	@$(PYTHON) -m localaws status

env: ## shell commands that point the AWS CLI at this machine: eval "$(make -s env)"
	@$(PYTHON) -m localaws env
	@printf 'export PATH=%q:"$$PATH"\n' "$(CURDIR)/.venv/bin"

build: setup ## the packages of the functions and the lake wheel
	@$(PYTHON) scripts/build.py

doctor: setup ## what ENV is missing in the account of the credentials; ends with 1 when apply would fail (JSON=1: as JSON)
	@$(PYTHON) -m scripts.doctor --env $(ENV) $(if $(JSON),--json)

bootstrap: setup ## state bucket and lock table, once for each account
	@bash terraform/bootstrap.sh

delivery-roles: setup ## the roles of GitHub Actions, once for each account (GITHUB=owner/name OWNER_ID=n REPOSITORY_ID=n, OPTIONS=--help)
	@$(PYTHON) -m scripts.delivery_roles --github "$(GITHUB)" --owner-id "$(OWNER_ID)" --repository-id "$(REPOSITORY_ID)" $(OPTIONS)

plan: build ## what apply would change, PIPELINE=p: in one pipeline; ends with 2 when there is something (OUT=FOLDER: keep the plans)
	@$(TERRAFORM) plan --env $(ENV) $(if $(PIPELINE),--pipeline $(PIPELINE)) $(if $(OUT),--out $(OUT))

judge: setup ## say what the plans in PLAN=FOLDER would do and whether they may (made by: make plan OUT=FOLDER; JSON=1)
	@CONFIRM=$(CONFIRM) $(TERRAFORM) judge --plan $(PLAN) $(if $(JSON),--json)

apply: build ## deploy ENV (dev unless said otherwise) to where the credentials point (PLAN=FOLDER: exactly those plans)
	@$(TERRAFORM) apply --env $(ENV) $(if $(PIPELINE),--pipeline $(PIPELINE)) $(if $(PLAN),--plan $(PLAN))

adopt: build ## say what is there under ENV's names and in no state; YES=1: take it, and apply (OURS="name …": ours without our tags)
	@# Only what was typed here counts, not what is left in the environment.
	@$(PYTHON) -m scripts.adoption.command --env $(ENV) $(if $(PIPELINE),--pipeline $(PIPELINE)) \
	  $(if $(filter command,$(firstword $(origin YES))),--yes) \
	  $(if $(filter command,$(firstword $(origin OURS))),--ours $(OURS))

destroy: build ## remove ENV; needs allow_destroy in the tfvars, applied, and CONFIRM=$(ENV)
	@CONFIRM=$(CONFIRM) $(TERRAFORM) destroy --env $(ENV) $(if $(PIPELINE),--pipeline $(PIPELINE))

unlock: setup ## who holds the lock of ENV's Terraform state; LOCK=<ID> takes it away
	@# Only an ID that was typed here counts, not one that is left in the environment.
	@$(TERRAFORM) unlock --env $(ENV) --lock "$(if $(filter command,$(firstword $(origin LOCK))),$(LOCK))"

locks: ## resolve requirements/*.in anew into the locks
	@for lock in uv:3.11 lambda:3.13 local:3.11 bench:3.11 glue:3.11 checks:3.11 mutation:3.11 delivery:3.11 audit:3.11; do \
	  .cache/uv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
	    --python-version "$${lock#*:}" "requirements/$${lock%:*}.in" --output-file "requirements/$${lock%:*}.txt"; \
	done

rights: setup ## build/rights.md: who may do what, from the policies that Terraform makes
	@$(PYTHON) -m pytest -q tests/terraform/test_rights_page.py

docs: setup ## write the pages of the datasets, contracts/schema.json, and the table of faults from its catalogue
	@$(PYTHON) -m lake.contract.pages
	@$(PYTHON) -m lake.contract.json_schema
	@$(PYTHON) -m tests.faults.document
