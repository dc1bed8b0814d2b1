# The commands of this project; CI calls the same ones. Each does its own set-up on a fresh machine.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
UV := $(BIN)/uv
ARGS ?=
# Beside the product's own, which is made from this folder.
DISTRIBUTIONS := distributions/entra-emulator distributions/keyturn-simulation
# Bytecode is kept: without it every process of a demonstration or a test compiles all packages anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo serve test check check-types check-others seeds crash clients bench screenshots docs site lock sbom dist image clean
help:
	@echo "make demo      watch a real rotation against a local Entra ID (ARGS=--stay keeps it running)"
	@echo "make serve     run the server on this machine"
	@echo "make test      all tests, on SQLite and PostgreSQL"
	@echo "make check     formatting, lint, types, import rules, dependencies, generated documents"
	@echo "make crash     kill a server at every instant of the protocol on both databases, and the real processes a hundred times"
	@echo "make clients   what real clients (Microsoft's libraries, SDKs of the API) do with the server and the local Entra ID;"
	@echo "               ENTRA_TEST_TERRAFORM and ENTRA_TEST_VAULT name binaries that it plays, too"
	@echo "make seeds     play 500 fresh seeds of the simulation"
	@echo "make bench     measure what the README claims"
	@echo "make screenshots  take pictures of every page into build/screenshots (ARGS=--docs: those of the README)"
	@echo "make docs      regenerate the reference documents"
	@echo "make site      build the documents as static pages into build/site (search included; nothing is loaded from elsewhere)"
	@echo "make lock      resolve and lock all dependencies anew"
	@echo "make sbom      write the bill of materials of what is locked (CycloneDX)"
	@echo "make dist      build the wheels and source archives of the three distributions into build/dist"
	@echo "make image     build the image for containers (BASE=packages where no registry of images is reached)"

$(UV): requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.run: $(UV) requirements/run.txt requirements/emulator.txt pyproject.toml $(DISTRIBUTIONS:=/pyproject.toml)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt -r requirements/emulator.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps -e . $(DISTRIBUTIONS:%=-e %)
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

setup: $(VENV)/.test

demo: $(VENV)/.run
	@$(BIN)/keyturn demo $(ARGS)

serve: $(VENV)/.run
	$(BIN)/keyturn serve $(ARGS)

test: $(VENV)/.test
	@scripts/system-packages
	$(BIN)/python -m pytest -n 5 $(ARGS)

# The types take as long as all the others together: both at once.
check: $(VENV)/.test
	@$(MAKE) --no-print-directory --jobs 2 check-types check-others

check-types:
	$(BIN)/mypy

check-others:
	$(BIN)/ruff format --check --quiet --no-cache .
	$(BIN)/ruff check --quiet --no-cache .
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry src
	$(BIN)/deptry --config distributions/entra-emulator/pyproject.toml src/entra_emulator
	$(BIN)/deptry --config distributions/keyturn-simulation/pyproject.toml src/keyturn_simulation
	$(BIN)/python scripts/documents --check

seeds: $(VENV)/.run
	$(BIN)/keyturn simulate --seeds 500

crash: $(VENV)/.test
	@scripts/system-packages
	@$(BIN)/python -m tests.crash.matrix
	KEYTURN_EVERY_CASE=1 KEYTURN_KILLS=100 KEYTURN_AGENT_ROTATIONS=200 $(BIN)/python -m pytest -n 2 -s tests/kill
	KEYTURN_EVERY_CASE=1 $(BIN)/python -m pytest -n 4 -m "postgres or alternates" --ignore tests/kill --ignore tests/crash
	KEYTURN_EVERY_CASE=1 $(BIN)/python -m pytest tests/system/test_permissions_of_routes.py tests/system/test_openapi_holds.py tests/simulation/test_planted_defects.py tests/browser/test_tour.py

# azure-cli in an environment of its own: it holds other versions of what the tests need.
AZ := build/clients/az
$(AZ)/.made: $(UV) requirements/az.txt
	$(PYTHON) -m venv $(AZ)
	$(UV) pip install --quiet --python $(AZ)/bin/python --require-hashes -r requirements/az.txt
	@touch $@

SCIM := build/clients/scim
$(SCIM)/.made: $(UV) requirements/scim.txt
	$(PYTHON) -m venv $(SCIM)
	$(UV) pip install --quiet --python $(SCIM)/bin/python --require-hashes -r requirements/scim.txt
	@touch $@

COMPOSE := build/clients/compose
$(COMPOSE)/.made: $(UV) requirements/compose.txt
	$(PYTHON) -m venv $(COMPOSE)
	$(UV) pip install --quiet --python $(COMPOSE)/bin/python --require-hashes -r requirements/compose.txt
	@touch $@

clients: $(VENV)/.test $(AZ)/.made $(SCIM)/.made $(COMPOSE)/.made
	@scripts/system-packages
	$(BIN)/python -m pytest -n 2 -m client $(ARGS)

bench: $(VENV)/.test
	@scripts/system-packages
	@$(BIN)/python -m benchmarks

screenshots: $(VENV)/.test
	@scripts/system-packages
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

docs: $(VENV)/.test
	$(BIN)/python scripts/documents

# Sphinx and its theme in an environment of their own: a server and its tests need nothing of them.
SITE := build/site-env
$(SITE)/.made: $(UV) requirements/site.txt
	$(PYTHON) -m venv $(SITE)
	$(UV) pip install --quiet --python $(SITE)/bin/python --require-hashes -r requirements/site.txt
	@touch $@

site: $(SITE)/.made
	@$(SITE)/bin/python scripts/site build/site

LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --upgrade
lock:
	$(PYTHON) -m venv build/lock && build/lock/bin/pip install --quiet uv
	build/lock/bin/$(LOCK) requirements/uv.in -o requirements/uv.txt
	build/lock/bin/$(LOCK) --extra server pyproject.toml requirements/run.in -o requirements/run.txt
	build/lock/bin/$(LOCK) -c requirements/run.txt --extra traces pyproject.toml -o requirements/traces.txt
	build/lock/bin/$(LOCK) -c requirements/run.txt distributions/entra-emulator/pyproject.toml -o requirements/emulator.txt
	build/lock/bin/$(subst --universal ,,$(LOCK)) requirements/test.in -o requirements/test.txt
	build/lock/bin/$(LOCK) requirements/site.in -o requirements/site.txt
	build/lock/bin/$(LOCK) --prerelease if-necessary requirements/az.in -o requirements/az.txt
	build/lock/bin/$(LOCK) requirements/scim.in -o requirements/scim.txt
	build/lock/bin/$(LOCK) requirements/compose.in -o requirements/compose.txt
	$(MAKE) sbom

sbom:
	$(PYTHON) scripts/sbom.py

dist: $(VENV)/.run
	rm -rf build/dist
	$(BIN)/python scripts/distributions.py build/dist

image:
	@scripts/image $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
