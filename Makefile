PY := .venv/bin/python
PYTHON ?= python3

.PHONY: setup servers demo test lint nightly rows

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("commonwatt needs Python 3.11 or 3.12, found " + sys.version.split()[0] if not (3, 11) <= sys.version_info[:2] <= (3, 12) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch .venv/ready

# PostgreSQL and SoftHSM for the tests that need them; where they cannot be had these tests say so and are skipped.
servers:
	-sh scripts/servers.sh install

demo: setup
	.venv/bin/commonwatt run examples/street

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: lint servers
	$(PY) -m pytest -n 2 --dist worksteal

nightly: setup servers
	COMMONWATT_NIGHTLY=1 $(PY) -m pytest -n 2 --dist worksteal

rows: setup
	@$(PY) -m pytest --collect-only -qq --rows | sed '/^tests\//d'
