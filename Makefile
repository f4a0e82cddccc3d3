# make demo    everything from recorded speech to a table of word error rates
# make test    make check, then all tests but the long ones on clusters; with chromium-headless-shell, the pages in it too
# make test-cluster    those: students and labels made on several nodes that come, go and are killed
# make chaos   100 kills of workers, nodes and drivers in the corpus stage, while labelling, and while training (SSL_ASR_CHAOS_KILLS, _SEED)
# make check   formatting, lint, types, import rules
# make format  fix formatting and what lint can fix
# make clean   remove the tools' leftover files (not .venv, .cache and runs)

PYTHONS := $(PYTHON) python3.11 python3.12 python3.13 python3
CACHE := $(CURDIR)/.cache
BIN := .venv/bin
# An index for torch besides PyPI, because PyPI's Linux build brings several GB of CUDA. For a CPU build:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX :=

# Tests compute in one thread: they run side by side, and threads beyond the cores wait for each other. So do the
# workers of a cluster on one machine.
TESTS := SSL_ASR_CACHE=$(CACHE) OMP_NUM_THREADS=1 $(BIN)/python -m pytest

COMPILE := $(BIN)/python -W ignore -m compileall -qq -x '/tests/' .venv/lib

.DEFAULT_GOAL := help
.PHONY: help demo test test-cluster chaos check format clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: .venv/installed
	$(BIN)/ssl-asr run demo corpus.cache=$(CACHE)

test: check
	$(TESTS) -n 2 --dist loadfile --no-loadscope-reorder -m 'not cluster'

test-cluster: .venv/installed
	$(TESTS) -m cluster

chaos: export SSL_ASR_CHAOS_KILLS ?= 100
chaos: .venv/installed
	$(TESTS) -s tests/cluster/test_corpus_chaos.py tests/cluster/test_labelling_chaos.py tests/cluster/test_training_chaos.py

check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports & rules=$$!; $(BIN)/mypy && wait $$rules

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find ssl_asr jobs tests -name __pycache__ -prune -exec rm -rf {} +

# torch comes first and with its exact version: a range would install the newest build. pip would compile all modules in
# one process, after it has fetched them: those that are there are compiled while it fetches others, and what is left by
# all cores. Some packages carry files for other Pythons, which cannot be compiled. MeetEval is built from its source: what
# it is for, one test, is skipped where that can't be. What builds it is not bound by -c but by two variables: the first
# for older versions of pip, the second for newer ones.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/pip
	$(BIN)/pip install --quiet --no-compile "torch==2.13.0" -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	$(COMPILE) & $(BIN)/pip install --quiet --no-compile -e ".[dev,export,serve,synthetic]" -c constraints.txt && wait
	if command -v c++ >/dev/null; then PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
	  $(BIN)/pip install --quiet --no-compile -e ".[meetings]" -c constraints.txt; \
	  else echo "no C++ compiler: MeetEval is not installed, and its test is skipped"; fi || \
	  echo "MeetEval was not installed, so its test is skipped. If Python.h is missing: apt-get install python3-dev"
	$(COMPILE) -j 0 || true
	touch $@

# pip is installed last into a new environment, so an unfinished environment is made again.
.venv/bin/pip:
	@python=; for each in $(PYTHONS); do \
	  if $$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    python=$$each; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "ssl_asr needs Python 3.11, 3.12 or 3.13: apt-get install python3 python3-venv, or make PYTHON=/path/to/python"; \
	  exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$python cannot make a virtual environment: apt-get install python$$version-venv"; \
	  exit 1; fi; \
	echo "making .venv with $$python and installing into it (some minutes)"; \
	$$python -m venv .venv
