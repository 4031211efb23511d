# Two commands on a fresh machine: `make demo` shows the program, `make test` proves it.
# Needs python3 (3.11 or later) with venv, and make; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test
CRATE_VALIDATOR := $(VENV)/crate-validator/.installed

.PHONY: help demo run test unit lint format bench faults soak clean

help:
	@echo "make demo                   a simulated microscope, a watcher and an archive, in a minute"
	@echo "make run PROFILE=my.yaml    watch your own folder"
	@echo "make test                   everything that is checked: style, types, layers, tests"
	@echo "make bench                  the figures (see tests/benchmarks/README.md)"
	@echo "make faults                 every fault at every stage (tests/faults, the long form)"
	@echo "make soak SETS=10000        that many image sets under random faults; SEED=4 repeats a run"

demo: $(INSTALLED)
	$(BIN)/irods-watcher demo demo

run: $(INSTALLED)
	@test -n "$(PROFILE)" || { echo "Say which: make run PROFILE=my.yaml (irods-watcher init writes one)"; exit 2; }
	$(BIN)/irods-watcher run $(PROFILE)

test: $(INSTALLED_TEST) lint
	$(BIN)/python -m pytest -n 4 --dist worksteal

unit: $(INSTALLED_TEST)
	$(BIN)/python -m pytest tests/unit

lint: $(INSTALLED_TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg --no-cache

format: $(INSTALLED_TEST)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED_TEST)
	$(BIN)/python -m tests.benchmarks

faults: $(INSTALLED_TEST)
	$(BIN)/python -m pytest tests/faults --long

soak: $(INSTALLED_TEST)
	$(BIN)/python -m tests.faults.soak $(if $(SETS),--sets $(SETS)) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .screenshots

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "irods-watcher needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(INSTALLED_TEST): $(BIN)/python setup.cfg pyproject.toml $(CRATE_VALIDATOR)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(INSTALLED)

# The RO-Crate validator cannot live beside this program (it wants rich < 14), so it has an environment of its own.
$(CRATE_VALIDATOR): $(BIN)/python tests/crate_validator/requirements.txt
	$(PYTHON) -m venv $(VENV)/crate-validator
	$(VENV)/crate-validator/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement tests/crate_validator/requirements.txt
	@touch $@
