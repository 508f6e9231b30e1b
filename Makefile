# Every target sets up what it needs first, says so, and reuses it the next time.
# Inside an active QIIME 2 conda environment that environment is used and none is created.
# Further options for pytest: make test ARGS="-k split"; in more processes: make test WORKERS=8

SHELL := /bin/bash
WITH := recipe/setup.sh
ARGS ?=
WORKERS ?= 2

# Each worker takes the next tests of the other when its own are done; one thread each, or they would
# wait for each other.
test test-hard test-newest: export PYTEST_ADDOPTS = -n $(WORKERS) --dist worksteal
test test-hard test-newest: export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-hard test-newest lint install dev clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

demo: ## run the whole analysis on a small real study, into demo-output/
	@$(WITH) demo bash recipe/demo/demo.sh

test: ## run the tests
	@$(WITH) test python -m pytest $(ARGS)

test-hard: ## run the tests that take minutes, too, and the randomized ones at full count
	@Q2_AAM_TESTS=full $(WITH) test python -m pytest -m "hard or not hard" $(ARGS)

test-newest: ## run the tests and the demo's commands on the newest QIIME 2 (on Debian)
	@$(WITH) newest recipe/newest/check.sh $(ARGS)

lint: ## check style and formatting
	@$(WITH) lint bash -c 'python -m ruff check . && python -m ruff format --check .'

install: ## install the plugin for use
	@$(WITH) install

dev: ## install the plugin so that changes in this folder take effect at once
	@$(WITH) dev

clean: ## delete what make wrote, except .venv and .venv-newest (delete these yourself to start anew)
	rm -rf build dist *.egg-info demo-output .pytest_cache .ruff_cache
	find q2_aam tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
