# Everything runs in an environment of its own, .venv; `make` lists what there is.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := schemas augment distill pipelines tests benchmarks examples

# Two files at a time, each process with one thread: threads that wait for each other would take most of the time.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
EXAMPLE := examples/quickstart/run.yaml

.PHONY: help install quickstart test test-all engines test-engines lint format clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /	/' | expand -t 12

install: .venv/installed ## make .venv with the exact versions of constraints.txt

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %s: make PYTHON=python3.12" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.7'
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable '.[pipelines,dataflow]' --group development
	touch $@

quickstart: install ## the whole job on demo data and models, offline, in a few minutes
	$(BIN)/distill run $(EXAMPLE)

test: install ## the tests that every change must pass: under fifteen minutes on two cores, no network
	$(TESTS) -m 'not slow and not engines'

test-all: install ## all tests, the slow ones too, but for those on engines
	$(TESTS) -m 'not engines'

engines: install ## the pipelines on a real Spark and Flink, disturbed and measured; needs Java 17 and Maven
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python -m engines

test-engines: install ## the same as tests, without the measurement; skipped where the engines cannot be had
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m engines tests/engines

lint: install ## formatting, lint and types, as the pre-commit hooks and CI run them
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/pyright

format: install ## put the code into shape
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

clean: ## remove the environment and what tools left
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis *.egg-info build dist
