# Every command to type. `make` alone lists them.

PYTHON ?= python3
VENV := .venv
IN_VENV := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
#: What only benchmarks need; apart, since the collections in it would be loaded by every worker.
EXTRAS := build/benchmarks
EXTRAS_INSTALLED := $(EXTRAS)/.installed
#: Debian packages with the servers and programs that tests and benchmarks run; the last three publish
#: jobs without any Python.
SERVICES := knot postgresql rabbitmq-server bind9-host chromium iproute2 amqp-tools php-cli php-amqplib

# Given values reach the recipes through the environment and unread by make, so that a file name
# may hold spaces, quotes and dollars.
export RUN_FILE := $(value FILE)
export RUN_OUT := $(or $(value OUT),results.csv)
export RUN_CHECKS := $(or $(value CHECKS),host)
export RUN_FORMAT := $(or $(value FORMAT),detect)
export RUN_COLUMN := $(value COLUMN)
export STACK_WORKERS := $(or $(value WORKERS),1)
unexport FILE OUT CHECKS FORMAT COLUMN WORKERS

.PHONY: help install run demo up down deploy test lint bench chaos lock services clean file-given

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install everything into .venv

run: file-given $(INSTALLED) ## Check a file of domain names: FILE=domains.txt [OUT=results.csv] [CHECKS=host] [FORMAT=csv] [COLUMN=3]
	@$(IN_VENV) -m deployments.run --out "$$RUN_OUT" --checks "$$RUN_CHECKS" \
		--format "$$RUN_FORMAT" --column "$$RUN_COLUMN" -- "$$RUN_FILE"

demo: $(INSTALLED) ## The same with a bundled file and a bundled name server, without a network
	@$(IN_VENV) -m demo

up: $(INSTALLED) ## Start the whole stack in the background: Prefect's UI and workers [WORKERS=1]
	@$(IN_VENV) -m deployments.stack up --workers "$$STACK_WORKERS"

down: $(INSTALLED) ## Stop what `make up` has started
	@$(IN_VENV) -m deployments.stack down

deploy: $(INSTALLED) ## Put the pool, its queues and all deployments on the server of PREFECT_API_URL
	@$(IN_VENV) -m deployments.deploy

test: $(INSTALLED) services ## Run all tests, with real servers that they start and stop [ARGS=…]
	@$(IN_VENV) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(INSTALLED) ## Check style and types
	@$(IN_VENV) -m ruff check --quiet .
	@$(IN_VENV) -m ruff format --quiet --check .
	@$(IN_VENV) -m mypy .

bench: $(INSTALLED) $(EXTRAS_INSTALLED) services ## Measure
	@$(IN_VENV) -m benchmarks $(ARGS)

chaos: $(INSTALLED) services ## Break everything that a run needs, and see that nothing is lost [ARGS=…]
	@$(IN_VENV) -m tests.chaos $(ARGS)
	@# Jobs have options of their own: .venv/bin/python -m tests.chaos.jobs --help
	$(if $(ARGS),,@$(IN_VENV) -m tests.chaos.jobs)

lock: ## Write the lock files anew from pyproject.toml and benchmarks/requirements.in
	@directory=$$(mktemp -d) && trap 'rm -rf "$$directory"' EXIT && \
	$(PYTHON) -m venv "$$directory" && \
	"$$directory/bin/python" -m pip install --quiet --disable-pip-version-check uv && \
	"$$directory/bin/uv" pip compile --quiet pyproject.toml packages/prefect-rabbitmq/pyproject.toml --group build --group lint --group test \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--output-file requirements.lock && \
	"$$directory/bin/uv" pip compile --quiet benchmarks/requirements.in \
		--constraints requirements.lock \
		$$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.lock) \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--output-file benchmarks/requirements.lock

services: ## Install the servers that the tests need, as Debian packages
	@deployments/debian-packages $(SERVICES)

clean: ## Remove .venv and what tools left behind; results and data stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

file-given:
	@test -n "$$RUN_FILE" || { echo 'Which file? make run FILE=domains.txt' >&2; exit 2; }

$(INSTALLED): requirements.lock pyproject.toml packages/prefect-rabbitmq/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Rollcall needs Python 3.11 or later, this is %d.%d: make PYTHON=python3.12 …" \
		% sys.version_info[:2])'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || deployments/debian-packages python3-venv
	@echo 'Installing into $(VENV): a minute or two, once'
	@$(PYTHON) -m venv $(VENV)
	@# The lock is whole; left to itself, pip would look for a newer sqlalchemy[asyncio] than it pins.
	@$(IN_VENV) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(IN_VENV) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		-e packages/prefect-rabbitmq -e .
	@touch $@

$(EXTRAS_INSTALLED): benchmarks/requirements.lock $(INSTALLED)
	@rm -rf $(EXTRAS)
	@$(IN_VENV) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--target $(EXTRAS) -r benchmarks/requirements.lock
	@touch $@
