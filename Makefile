# Two commands on a fresh machine: `make demo` runs the whole product, `make test` runs every test.
# Needed: Python 3.11 or newer with venv, make; for `make test` also root or sudo on a Debian-like system.
PYTHON ?= python3
BIN := .venv/bin
LOCK_FLAGS := --allow-unsafe --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --no-header

.PHONY: demo test check bench assets lock help

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

demo: .venv/ready ## run everything on this machine: registers, agencies, broker
	@$(BIN)/semel demo $(DEMO)

test: .venv/ready ## every test, on SQLite and on PostgreSQL, browser included
	@tests/run

check: .venv/ready ## format, lint, types, layers, and the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict keys consent wallet broker examples benchmarks
	$(BIN)/lint-imports
	$(BIN)/pytest -q --ignore=tests/browser --ignore=tests/flows --ignore=tests/clients

bench: .venv/ready ## measure Semel beside its peer (needs PostgreSQL and npm; under ten minutes)
	@$(BIN)/python -m benchmarks $(BENCH)

assets: ## rebuild the style sheets and the script from assets/ (needs Node)
	cd assets && npm ci --no-fund --no-audit && npm run build

lock: .venv/ready ## write requirements.lock anew from pyproject.toml
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --extra=test $(LOCK_FLAGS) --output-file=requirements.lock pyproject.toml

# The environment is ready when exactly what the lock names, checked by its hash, is installed.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "python3-venv is needed" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
