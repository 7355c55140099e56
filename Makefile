# What a newcomer and CI type. Needs Python 3.11 or newer and make; everything else is put into .venv.

VENV = .venv
PY = $(VENV)/bin/python
PIP = $(PY) -m pip --disable-pip-version-check --no-input -qq install
UV_LOCK = $(VENV)/bin/uv pip compile --quiet pyproject.toml --group build --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command 'make lock'
PYTEST = $(PY) -m pytest -n 2 --dist loadfile
BENCHES = text likeness extract cards dispatch burst feeds chaos pages

.PHONY: help demo test lint test-nightly test-release test-live bench lock clean

help:
	@echo 'make demo [SOURCE=url|file] [KEEP=1]   an article becomes posts; KEEP=1 leaves the pages up until Ctrl-C'
	@echo 'make test                              the everyday checks'
	@echo 'make test-nightly | test-release       the long proofs'
	@echo 'make test-live                         posts and deletes on the platforms whose keys are in the environment'
	@echo 'make bench [BENCH=name]                side by side with others: $(BENCHES)'
	@echo 'make lint | lock | clean               check the style; renew the locks; remove what make made'

demo: $(VENV)/.run
	@$(VENV)/bin/handbill demo $${KEEP:+--keep} $${SOURCE:+"$$SOURCE"}

test: lint
	$(PYTEST) -m 'not nightly and not release'

lint: $(VENV)/.dev
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

test-nightly: $(VENV)/.dev
	$(PY) -m pytest -m nightly --hypothesis-profile=searching
	$(PY) -m pytest -m 'not nightly and not release' --hypothesis-profile=searching --properties=15

test-release: $(VENV)/.dev
	$(PY) -m pytest -m release

test-live: $(VENV)/.dev
	$(PY) -m pytest tests/live -rs

bench: $(VENV)/.dev
	@for name in $(or $(BENCH),$(BENCHES)); do echo "== $$name"; $(PY) -m bench.$$name || exit 1; done

lock: $(VENV)/.made
	@$(PIP) 'uv>=0.13'
	$(UV_LOCK) --output-file requirements.lock
	$(UV_LOCK) --extra dev --constraints requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The build backend is in the locks, so the project itself is installed without fetching anything.
$(VENV)/.run: $(VENV)/.made requirements.lock pyproject.toml
	@echo 'Setting up: what Handbill needs, each file checked against its hash (about half a minute, once)'
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements-dev.lock requirements.lock pyproject.toml
	@echo 'Setting up: what Handbill and its tests need, each file checked against its hash (about a minute, once)'
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(VENV)/.run $@

$(VENV)/.made:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Setting up: $$($$python --version) in $(VENV)"; \
			$$python -m venv --clear $(VENV) && touch $@; \
			exit; \
		fi; \
	done; \
	echo 'Python 3.11 or newer, with its venv module, is not here: install it (Debian: apt install python3-venv),' \
		'or name one with make PYTHON=/path/to/python3' >&2; \
	exit 1
