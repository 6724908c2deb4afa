# Two commands do everything: `make demo` and `make test`. Each sets up .venv first, once.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Any Python from 3.11 on, e.g. `make demo PYTHON=python3.13`.
PYTHON ?= python3
# Further options for pip, e.g. an index that offers a CPU-only torch.
PIP_ARGS ?=
DEMO_ARGS ?=
TEST_ARGS ?= -n auto
# For both campaigns, e.g. --jobs 4.
MUTATION_ARGS ?=

BIN := .venv/bin
READY := .venv/.ready

.PHONY: help
help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(READY) ## Train, prune, pack, generate, simulate and compare on handwritten digits.
	@$(BIN)/darb demo $(DEMO_ARGS)

.PHONY: test
test: $(READY) ## Run the whole test suite.
	@$(BIN)/python -m pytest $(TEST_ARGS)

.PHONY: formal
formal: $(READY) ## Prove the decoder, the queues, the streams and the sequencer.
	@$(BIN)/python -m pytest $(TEST_ARGS) tests/formal

.PHONY: mutation
mutation: $(READY) ## Change the Verilog and the Python in small ways; the tests must notice.
	@$(BIN)/python bench/mutation/verilog.py $(MUTATION_ARGS)
	@$(BIN)/python bench/mutation/python.py $(MUTATION_ARGS)

.PHONY: lint
lint: $(READY) ## Check style and layout.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: setup
setup: $(READY) ## Only set up .venv.

.PHONY: tools
tools: ## Check that Python, g++, make and perl are there.
	@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) must be Python 3.11 or newer with venv: apt-get install python3-venv," \
	    "or name another with PYTHON=python3.13" >&2; exit 1; }
	@command -v g++ >/dev/null || { \
	  echo "g++ is missing: apt-get install g++ (macOS: xcode-select --install)" >&2; exit 1; }
	@command -v perl >/dev/null || { \
	  echo "perl is missing: apt-get install perl" >&2; exit 1; }

$(READY): pyproject.toml requirements.lock | tools
	@echo "Setting up .venv; the first time takes a few minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input $(PIP_ARGS) \
	    --constraint requirements.lock --editable '.[test]' \
	  | awk '/^Collecting/ { print "  " $$2; fflush() } \
	         /^Installing collected/ { print "  installing"; fflush() }'
	@touch $@
	@echo ".venv is ready."

.PHONY: lock
lock: $(READY) ## Write requirements.lock anew from what .venv holds.
	@{ echo "# Versions that the suite passes with; pip takes them as constraints."; \
	   echo "# torch carries no local suffix, so a CPU build is taken where one is offered."; \
	   $(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable --all \
	   | sed -e '/^pip==/d' -e 's/+[a-z0-9.]*$$//'; } > requirements.new
	@mv requirements.new requirements.lock

.PHONY: clean
clean: ## Remove .venv and everything built.
	@rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis darb-demo
