# Two commands do everything on a fresh machine: `make demo` (no root) and `make test`.

PYTHON ?= python3
VENV   := .venv
PEERS  := .venv-peers
BIN    := $(VENV)/bin

# Tests start hundreds of processes: none of them is to compile all modules again, whatever the shell asks for.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-server review-demo check test lint types layers unit prove bench bench-quick bench-million bench-workers bench-scale bench-simulation diagrams schema http-api clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo.stamp  ## book a flight: run, answer from a second process, draw the path taken
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

demo-server: $(VENV)/server.stamp  ## serve the page with agents of the gallery in all states, until Ctrl-C
	@exec $(BIN)/python -m examples.server

review-demo: $(VENV)/demo.stamp  ## review a pull request that has lost a guard: report, picture, test
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/review/demo.sh

check: $(VENV)/test.stamp lint types layers  ## lint, types, layers, and the quick tests: while you work
	FSM_AGENT_PROOFS=quick $(BIN)/pytest -n auto --dist worksteal -q -m "not server and not long"

test: $(VENV)/test.stamp system lint types layers unit  ## everything that CI checks

.PHONY: system
system:
	@sh tests/install-system.sh

lint: $(VENV)/test.stamp  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp  ## mypy --strict
	$(BIN)/mypy

layers: $(VENV)/test.stamp  ## imports point down
	$(BIN)/lint-imports --no-logo

unit: $(VENV)/test.stamp  ## pytest, in parallel, warnings as errors, with a floor for coverage
	$(BIN)/pytest -n auto --dist worksteal -q --cov --cov-report=

FOR      ?= 60s
BACKENDS ?=

prove: $(VENV)/test.stamp system  ## torment every backend, catch every mutant (FOR=10m, BACKENDS="sqlite redis")
	$(BIN)/python -m tests.faults.prove --for $(FOR) $(BACKENDS)
	FSM_AGENT_PROOFS=long $(BIN)/pytest -n auto -q -rP tests/faults/test_store_model.py

bench: $(VENV)/test.stamp system  ## measure benchmarks/RESULTS.md and its plots afresh, beside other libraries (about 20 minutes)
	-@$(MAKE) --no-print-directory peers
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/test.stamp system  ## the rows that tell the speed of a step, on the terminal (under 3 minutes)
	$(BIN)/python -m benchmarks --quick

bench-million: $(VENV)/test.stamp system  ## a million waiting agents in SQLite and in PostgreSQL (about 20 minutes)
	$(BIN)/python -m benchmarks --million

bench-workers: $(VENV)/test.stamp system  ## workers on PostgreSQL and Redis: agents a second, wakes, conflicts (about 15 minutes)
	$(BIN)/python -m benchmarks --workers

SIZE ?= small

bench-scale: $(VENV)/test.stamp system  ## what a step and an agent cost, for docs/scaling.md (3 minutes; SIZE=full: about 20)
	$(BIN)/python -m benchmarks --scale $(SIZE)

bench-simulation: $(VENV)/test.stamp  ## 1 to 100 workers and up to a million agents in virtual time (about 30 minutes)
	$(BIN)/python -m benchmarks --simulation

.PHONY: peers
peers: $(PEERS)/stamp

diagrams: $(VENV)/test.stamp  ## redraw diagrams/ from workflows/, examples/review/ and docs/properties/
	$(BIN)/fsm-agent diagram workflows --out-dir diagrams
	for format in dot svg; do $(BIN)/fsm-agent diff examples/review/before/refunds.yaml examples/review/after/refunds.yaml \
		-o diagrams/refunds_review.$$format || test $$? = 1; done   # it breaks a property, and says so
	$(BIN)/fsm-agent prove docs/properties/refunds.yaml --diagrams diagrams/properties > /dev/null || test $$? = 1   # it breaks all

schema: $(VENV)/test.stamp  ## write the JSON Schema of the dialect afresh
	$(BIN)/python -m fsm_agent.dialect > fsm_agent/schema/workflow.schema.json

http-api: $(VENV)/test.stamp  ## write the reference in docs/http-api.md afresh
	$(BIN)/python -m fsm_agent.server.api docs/http-api.md

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(PEERS) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(VENV)/pip.stamp:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fsm-agent needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/demo.stamp: $(VENV)/pip.stamp pyproject.toml
	$(BIN)/pip install --quiet --editable '.[demo,diagrams]'
	@touch $@

$(VENV)/server.stamp: $(VENV)/pip.stamp pyproject.toml
	$(BIN)/pip install --quiet --editable '.[demo,diagrams,llm,server]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/pip.stamp pyproject.toml
	$(BIN)/pip install --quiet --editable '.[demo,diagrams]' --group dev
	@touch $@

$(PEERS)/stamp: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --requirement benchmarks/peers/requirements.txt
	@touch $@
