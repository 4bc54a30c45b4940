# Every target sets up what it needs: a machine with Python 3.11 and git is enough for `make run`.
PYTHON ?= python3
export UV_COMPILE_BYTECODE = 1
export UV_LINK_MODE = copy
export UV_PYTHON_DOWNLOADS = never
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Where it is set, hundreds of processes that tests start would compile all of this project again, each of them.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv/.ready

.PHONY: help setup run test check bench study services lock
help:
	@echo "make run       a night on real repositories, then the portal (LENS_ONCE=1: end after the night)"
	@echo "make test      every test, with coverage"
	@echo "make check     ruff, mypy, import contract, README against --help"
	@echo "make bench     engine and latency sketch beside their peers, the monitor by the stopwatch"
	@echo "make study     how often the latency gates decide wrongly: docs/latency-study.md (STUDY=--quick: a taste);"
	@echo "               a million damaged cuts; every slice's index migrated from every previous version"
	@echo "make services  install and start what tests and cuts need (Chromium, ripgrep, container engine, registry)"
	@echo "make lock      resolve requirements.lock again"

setup: $(VENV)
$(VENV): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer, saw " \
	  + sys.version.split()[0] + ": name another one, make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
	.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@touch $(VENV)

run: $(VENV)
	@bash scripts/run

# What measures latency comes last and alone. The other tests use all cores: four at a time, for many of them wait.
TIMED := tests/e2e/test_planted_faults.py tests/e2e/test_monitor.py tests/integration/test_load.py
test: $(VENV) services
	.venv/bin/python -m lens_core.adapters.coverage_record begin
	.venv/bin/python -m pytest $(addprefix --ignore=,$(TIMED)) -n 4 --dist loadscope --no-loadscope-reorder --cov-fail-under=0
	.venv/bin/python -m pytest $(TIMED) --cov-append --cov-report=term:skip-covered
	.venv/bin/python -m lens_core.adapters.coverage_record end

check: $(VENV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	.venv/bin/python -m pytest -q --no-cov tests/architecture

bench: $(VENV) services
	.venv/bin/python bench/sbom.py
	.venv/bin/python bench/peers.py
	.venv/bin/python bench/percentiles.py
	.venv/bin/python bench/monitor.py

# Half an hour on two cores. STUDY=--resume goes on after an interruption, --redraw computes nothing.
study: $(VENV)
	.venv/bin/python -m study $(STUDY)
	.venv/bin/python -m study.mutations --count 1000000
	.venv/bin/python -m study.migrations

services:
	@bash scripts/services

lock: $(VENV)
	.venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header \
	  --group dev --upgrade --quiet -o requirements.lock
	for group in engine image-installer; do .venv/bin/uv pip compile --group $$group --python-version 3.11 \
	  --python-platform x86_64-manylinux_2_28 --only-binary :all: --generate-hashes --no-header --no-annotate --quiet \
	  -c requirements.lock -o requirements-$$group.lock || exit; done
