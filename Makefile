PY := .venv/bin/python
PYTHON ?= python3

.PHONY: setup servers demo test lint nightly peers audit rows

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("commonwatt needs Python 3.11 or 3.12, found " + sys.version.split()[0] if not (3, 11) <= sys.version_info[:2] <= (3, 12) else 0)'
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch .venv/ready

# PostgreSQL, SoftHSM, Mosquitto, Chromium, a foreign OCPP client and the contracts' compiler for the tests that need them; where they cannot be had these tests say so and are skipped.
servers:
	-sh scripts/servers.sh install
	-sh scripts/peers.sh install ocpp-rpc
	-$(PYTHON) scripts/contracts.py install

# With CI=true it lives through one recorded day, writes its page and evidence, and ends; else it lives on until stopped.
demo: setup
	.venv/bin/commonwatt $(if $(filter true,$(CI)),run --chain,demo) examples/street

lint: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# Three at a time on two cores: much of what is tested waits for wires and disks. What failed among others is looked at
# once more alone, so that a wire's test does not fail for its neighbours' load; what fails twice has failed.
test: lint servers
	$(PY) -m pytest -n 3 --dist worksteal || { [ $$? = 1 ] && $(PY) -m pytest --last-failed --last-failed-no-failures none; }

nightly: setup servers
	COMMONWATT_NIGHTLY=1 $(PY) -m pytest -n 3 --dist worksteal -o timeout=14400

# Other people's programs judge what we say, each in an environment of its own (docs/reference/peers.md).
# A script that cannot have its program here ends with 3, and says so.
peers: setup
	@failed=; for run in tests/peers/*/run.sh; do echo "== $$run"; sh $$run; code=$$?; \
		case $$code in 0) ;; 3) echo "NOT RUN" ;; *) failed="$$failed $$run" ;; esac; done; \
		[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# Known vulnerabilities of what we stand on, and dangerous habits of our own; it ends with 3 where it cannot look.
audit:
	$(PYTHON) scripts/audit.py

rows: setup
	@$(PY) -m pytest --collect-only -qq --rows | sed '/^tests\//d'
