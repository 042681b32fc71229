# Everything here sets up what it needs. `make demo` and `make test` are the README's quick start.

PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
WORKERS ?= 2
BIN := $(VENV)/bin
PIP := python -m pip --disable-pip-version-check -q

.PHONY: help demo test wheel servers bench lint format clean

help:
	@echo "make demo    the main job on files alone: stays and shows your edits (without a terminal it edits itself)"
	@echo "make test    all tests, against the built wheel, with a real etcd"
	@echo "make servers install the servers that the tests start (Debian, as root): etcd, PostgreSQL, Redis, promtool"
	@echo "make bench   measure beside the rivals: half an hour, the result is left in var/bench"
	@echo "make lint    ruff and mypy"
	@echo "make format  ruff's formatter"
	@echo "make clean   remove what the targets made"

demo: $(DEMO_VENV)/.ready
	@$(DEMO_VENV)/bin/python examples/follow/main.py $(ARGS)

$(DEMO_VENV)/.ready: pyproject.toml $(shell find reactive_config -name '*.py')
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/$(PIP) install '.[yaml]'
	@touch $@

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) install --upgrade pip hatchling
	$(BIN)/$(PIP) install '.[test]'
	@touch $@

# The tests import what users install: the wheel, not the checkout.
wheel: $(VENV)/.ready
	@rm -rf dist
	$(BIN)/$(PIP) wheel --no-deps --no-build-isolation -w dist .
	$(BIN)/$(PIP) install --force-reinstall --no-deps dist/*.whl

# RUNLEVEL=1 keeps the packages from starting a service: a test starts its own server, on a port of its own.
servers:
	@if ! [ -x /usr/bin/etcd ] || ! [ -x /usr/bin/redis-server ] || ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			etcd-server etcd-client postgresql redis-server prometheus; \
	fi

test: wheel
	REACTIVE_CONFIG_WHEEL=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)
	REACTIVE_CONFIG_WHEEL=1 PYTHONASYNCIODEBUG=1 $(BIN)/pytest -q -n $(WORKERS) tests/core tests/testing -m "not slow and not etcd" -p no:cacheprovider

bench: wheel
	$(BIN)/python -m bench run full $(ARGS)

lint: wheel
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing bench

format: $(VENV)/.ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(DEMO_VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
