# make demo | make test | make help
# STACK=openmmlab (default) or onedl, VENV= and PYTHON= override.

STACK ?= openmmlab
VENV ?= $(if $(filter onedl,$(STACK)),.venv-onedl,.venv)
PYTHON ?=
PYTEST_ARGS ?=

BIN := $(VENV)/bin
# Any Python 3 can run the set-up, which looks for one of the right version.
SETUP_PYTHON := $(or $(shell command -v python3),$(PYTHON))
define run_setup
@test -n '$(SETUP_PYTHON)' || { echo 'Error: no python3 found. Install \
Python 3.11, or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'; exit 1; } >&2
@'$(SETUP_PYTHON)' scripts/setup_env --stack '$(STACK)' --venv '$(VENV)' --python '$(PYTHON)' --level
endef

# The environment has the package installed; the tests must not see another.
unexport PYTHONPATH PYTHONHOME

.PHONY: help demo test docs setup dev lint clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo    train and test on long-tailed Fashion-MNIST, print a table'
	@echo 'make test    run the test suite (PYTEST_ARGS="tests/test_models -x")'
	@echo 'make docs    build the site, build/site/index.html'
	@echo 'make setup   only make the environment of the tests, which the demo can use'
	@echo 'make dev     the same, with mmlt installed for development'
	@echo 'make lint    check style and format of the code'
	@echo 'make clean   remove the environments and caches; data/ and work_dirs/ stay'
	@echo
	@echo 'STACK=onedl  use the maintained forks instead of the open-mmlab releases'
	@echo 'VENV=FOLDER  environment, default .venv (.venv-onedl for onedl)'
	@echo 'PYTHON=FILE  Python 3.10, 3.11 or 3.12 to make it with'

# Classification needs nothing compiled; `make test` completes the environment.
demo:
	$(run_setup) classification
	@'$(BIN)/python' tools/dataset_converters/fashion_mnist.py --out data/fashion_mnist
	@'$(BIN)/python' tools/demo.py

# The program pytest, unlike `python -m pytest`, leaves the sources off the
# path: what is tested is the installed wheel.
test: setup
	@OMP_NUM_THREADS=1 MMLT_TEST_WHEEL=1 '$(BIN)/pytest' -n 2 $(PYTEST_ARGS)

# Warnings are errors; a link to a file that is not there is one.
docs: setup
	@'$(BIN)/pip' install -q -c requirements/constraints.txt -r requirements/docs.txt
	@'$(BIN)/sphinx-build' -W --keep-going -q -c docs . build/site
	@echo build/site/index.html

setup:
	$(run_setup) detection

dev:
	$(run_setup) detection --editable

lint: .venv-lint/bin/ruff
	@.venv-lint/bin/ruff check
	@.venv-lint/bin/ruff format --check

.venv-lint/bin/ruff: requirements/constraints.txt
	@'$(or $(PYTHON),$(SETUP_PYTHON))' -m venv --clear .venv-lint
	@.venv-lint/bin/pip install -q -c $< ruff
	@touch $@

clean:
	rm -rf .venv .venv-onedl .venv-lint build dist *.egg-info .pytest_cache .ruff_cache
	find mmlt configs tools tests -name __pycache__ -type d -exec rm -rf {} +
