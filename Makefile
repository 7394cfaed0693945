# Every target sets up by itself what it needs, on a Debian 12 that has git and make: see tools/setup.
#
# ARGS is handed on to pytest by check and test (make test ARGS="-k volume"), and to the program by demo, bench, serve.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check bench serve setup lock clean
.PHONY: lint lint-style lint-format lint-types lint-imports unit

bin := .venv/bin
pytest := $(bin)/python -m pytest

# .venv sees Debian's packages, but must not see a user's own.
export PYTHONNOUSERSITE := 1
# Every process of the tests would compile every module anew: ten seconds of CPU time in each check.
unexport PYTHONDONTWRITEBYTECODE
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# In CI everything is installed, so a test that is skipped there is one that nobody runs.
ifneq ($(CI),)
export STRATAL_NO_SKIPS := 1
endif

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the story of one machine on a data centre of your own (SIMULATE=1: without QEMU)
	@tools/setup demo
	$(bin)/python tools/demo $(if $(SIMULATE),--simulate) $(ARGS)

# The types are checked beside the tests, which wait now and then.
check: ## style, types, imports and unit tests, in under a minute; run it before every commit
	@tools/setup check
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target unit lint-types lint-imports lint-style lint-format

test: ## check, and all other tests: drivers, faces, crashes, real QEMU, Ceph and PostgreSQL
	@tools/setup test
	@$(MAKE) --no-print-directory lint
	$(pytest) tests -n 2 --dist loadgroup $(ARGS)

bench: ## the benchmarks, with their results as a table
	@tools/setup bench
	$(bin)/python -m bench $(ARGS)

serve: ## the server, with its defaults
	@tools/setup serve
	$(bin)/stratal serve $(ARGS)

setup: ## install all that the other targets need
	@tools/setup check test demo bench serve

lock: ## pin the Python packages anew after a change of pyproject.toml (ARGS=--upgrade: at their newest versions)
	@tools/setup check
	tools/lock $(ARGS)

clean: ## remove all that was made here, .venv and .tools too
	rm -rf .venv .tools .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# Without PostgreSQL, and with fewer examples: see tests/thoroughness.py.
unit:
	STRATAL_QUICK=1 $(pytest) tests/unit -q -n 4 -p no:schemathesis -p no:anyio $(ARGS)

# All four report, whichever fail.
lint:
	@$(MAKE) --no-print-directory --keep-going lint-style lint-format lint-types lint-imports

lint-style:
	$(bin)/ruff check

lint-format:
	$(bin)/ruff format --check

lint-types:
	$(bin)/pyright

lint-imports:
	$(bin)/lint-imports --no-logo
