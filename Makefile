PY := .venv/bin/python
PYTHON ?= python3

.PHONY: setup demo test lint nightly rows

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("commonwatt needs Python 3.11 or 3.12, found " + sys.version.split()[0] if not (3, 11) <= sys.version_info[:2] <= (3, 12) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch .venv/ready

demo: setup
	.venv/bin/commonwatt run examples/street

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: lint
	$(PY) -m pytest -n 2 --dist worksteal

nightly: setup
	COMMONWATT_NIGHTLY=1 $(PY) -m pytest -n 2 --dist worksteal

rows: setup
	@$(PY) -m pytest --collect-only -qq --rows | sed '/^tests\//d'
