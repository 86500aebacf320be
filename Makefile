# Two commands do everything: make demo, make test. Both make an environment in .venv from requirements/dev.lock.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ZOO := .venv-zoo
PEERS := .venv-peers

PYTHONS ?= python3.10 python3.12 python3.13

.PHONY: demo test lint unit torch tf zoo stability mutants peers pythons docs bench lock clean

demo: $(READY)
	@$(BIN)/python sample_cells/demo.py

# The two frameworks side by side, since each keeps one core busy.
test: lint unit
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target torch tf

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The two frameworks are never imported into one process.
# One thread each: the cells are small, and threads that wait for a core cost more than they bring.
unit torch tf: export OMP_NUM_THREADS = 1
unit: $(READY)
	$(BIN)/pytest tests/unit tests/cli tests/package

torch: $(READY)
	$(BIN)/pytest tests/torch

tf: $(READY)
	$(BIN)/pytest tests/tf

# What does not need PyTorch, under other versions of Python: make pythons PYTHONS="python3.10 python3.13"
pythons:
	@set -e; for python in $(PYTHONS); do \
		echo "== $$python"; env=.venv-$$(basename $$python); $$python -m venv $$env; \
		grep -v '^torch=' requirements/dev.lock > $$env/lock.txt; \
		$$env/bin/pip install --quiet --disable-pip-version-check -r $$env/lock.txt; \
		$$env/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements/bare.txt; \
		PYTHONPATH=. $$env/bin/python -m pytest tests/unit; \
		PYTHONPATH=. $$env/bin/python -m pytest tests/tf; \
	done

# docs/rules.md and the table of rules in README.md, from the rules' docstrings.
docs: $(READY)
	$(BIN)/python tools/write_docs.py

bench: $(READY)
	$(BIN)/python benchmarks/run.py

$(READY): requirements/dev.lock requirements/bare.txt zoo/small.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements/bare.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Published cells, each under many seeds: writes docs/zoo.md. In .venv-zoo, for half an hour or so.
SEEDS ?= 20
zoo: $(ZOO)/.ready
	$(ZOO)/bin/python zoo/reproduce.py
	$(ZOO)/bin/python zoo/run.py --seeds $(SEEDS)

# Every sample cell and every cell of the zoo under many seeds: writes docs/stability.md. For hours; both can be
# stopped, and go on where they were: what one version of rnncheck said is kept in .answers.jsonl.
stability: $(ZOO)/.ready
	$(ZOO)/bin/python zoo/stability.py

# The same cells, broken on purpose: writes docs/mutants.md and which of the mutants make test runs. For twenty minutes
# or so; one mutant in ten: make mutants EVERY=10
EVERY ?= 1
mutants: $(ZOO)/.ready
	PYTHONPATH=zoo $(ZOO)/bin/python mutants/benchmark.py --every $(EVERY)

$(ZOO)/.ready: requirements/dev.lock requirements/bare.txt zoo/small.txt zoo/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(ZOO)
	$(ZOO)/bin/pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	$(ZOO)/bin/pip install --quiet --disable-pip-version-check --no-deps -r zoo/requirements.txt
	$(ZOO)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What people use today, side by side with rnncheck on the same defects: writes docs/peers.md. In .venv-peers, for
# half an hour or so. Fails while one of them finds what rnncheck does not.
peers: $(PEERS)/.ready
	PYTHONPATH=.:benchmarks $(PEERS)/bin/python -m peers

$(PEERS)/.ready: benchmarks/peers/requirements.txt benchmarks/peers/tools.txt requirements/dev.lock
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers/tools.txt
	@touch $@

# Pins for Python 3.10 to 3.13 on every platform. torch on Linux finds its own CUDA packages where it needs them.
lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile requirements/dev.in --universal --python-version 3.10 --no-annotate --no-header --upgrade --quiet \
		| grep -vE '^(cuda-|nvidia-|triton)' > requirements/dev.lock

clean:
	rm -rf $(VENV) .venv-* dist build .mypy_cache .ruff_cache .pytest_cache
