# Two commands do everything: make demo, make test. Both make an environment in .venv from requirements/dev.lock.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint unit torch tf bench lock clean

demo: $(READY)
	@$(BIN)/python sample_cells/demo.py

test: lint unit torch tf

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The two frameworks are never imported into one process.
unit: $(READY)
	$(BIN)/pytest tests/unit tests/cli tests/package

torch: $(READY)
	$(BIN)/pytest tests/torch

tf: $(READY)
	$(BIN)/pytest tests/tf

bench: $(READY)
	$(BIN)/python benchmarks/startup.py

$(READY): requirements/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Pins for Python 3.10 to 3.13 on every platform. torch on Linux finds its own CUDA packages where it needs them.
lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile requirements/dev.in --universal --python-version 3.10 --no-annotate --no-header --upgrade --quiet \
		| grep -vE '^(cuda-|nvidia-|triton)' > requirements/dev.lock

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache
