# The commands of the project; `make` alone prints them. Names are a contract: design/commands.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.demo-installed
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo dev flask setup lint types arch test test-fast coverage check bench faults peers format

help:  ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("需要 Python 3.11 或更新的版本" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.txt requirements-stack.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-stack.txt
	@touch $(RUN_STAMP)

$(STAMP): requirements.txt requirements-stack.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(STAMP) $(RUN_STAMP)

demo: $(RUN_STAMP)  ## everything from nothing, then the story of a month; ARGS=--once stops after it
	$(BIN)/python -m localstack demo $(ARGS)

dev: $(STAMP)  ## web with reload, worker, ticker, simulator, for daily work
	$(BIN)/python -m localstack dev

flask: $(RUN_STAMP)  ## one of our commands in the running demo or dev: make flask ARGS="doctor"
	@$(BIN)/python -m localstack flask -- $(ARGS)

setup: $(STAMP)  ## make the virtual environment and install the packages

lint: $(STAMP)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy .

arch: $(STAMP)  ## import contracts and the tests of the shape itself
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture

test: $(STAMP)  ## all tests, against embedded PostgreSQL and Redis or TEST_DATABASE_URL, TEST_REDIS_URL
	$(BIN)/pytest $(ARGS)

test-fast: $(STAMP)  ## the inner loop, under a minute: domain and services
	$(BIN)/pytest -q -m "not slow" tests/domain tests/services

coverage: $(STAMP)  ## how much of the product the tests reach
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage report

check: lint types arch test  ## everything that must pass before a change lands

bench: $(STAMP)  ## figures beside their floors; ONLY=P1 for some; writes bench.json
	$(BIN)/python -m benchmarks --only "$(ONLY)" $(ARGS)

faults: $(STAMP)  ## the rows of the fault matrix in full size, with their figures: an hour
	FAULTS=full $(BIN)/pytest -m fault -s $(ARGS)

peers:  ## other people's payment libraries (Node), against which the simulator is tried
	npm install --no-audit --no-fund --silent --prefix .local/peers \
		wechatpay-axios-plugin@0.9.6 alipay-sdk@4.14.0

format: $(STAMP)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
