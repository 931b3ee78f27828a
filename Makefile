# MedRestore outside Slicer. `make help` lists the targets; each sets up what it needs.
PYTHON ?= python3
OUT ?= demo
# Where PyTorch's wheels without CUDA are. For a GPU: `make clean && make TORCH_INDEX=https://download.pytorch.org/whl/cu128`.
# If it cannot be reached, or is empty, pip takes torch from its usual places: right too, but larger on Linux.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PEERS = bm3d medpy PyWavelets

BIN = .venv/bin
BENCH = .bench-venv/bin
TORCH = $(shell sed -n 's/^\(torch==.*\)/\1/p' constraints.txt)
INSTALL_TORCH = -m pip install --quiet --no-deps --timeout 20 --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH)

define CHECK_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || { echo "MedRestore needs Python 3.11 or later, '$(PYTHON)' is not: make PYTHON=/path/to/python3.11" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
  || { echo "'$(PYTHON)' cannot make environments; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
endef

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz kills lint docs bench translations train-gpu clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

demo: .venv/ready  ## restore three studies; files, figures and a report go to demo/ (OUT=folder for another)
	$(BIN)/python -m Testing.demo $(OUT)

test: .venv/ready  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

fuzz: .venv/ready  ## 3,000 damaged files through the command line (ARGS="--count 500 --seed 7" for others)
	OMP_NUM_THREADS=1 $(BIN)/python -m Testing.fuzz.run $(ARGS)

lint: .venv/ready  ## ruff: rules and formatting; mypy: types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: .venv/ready  ## the documentation, with a gallery in which every method restores the same studies, to build/docs
	$(BIN)/python -m Testing.gallery build/gallery
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

kills: .venv/ready  ## 300 batches killed, each gone on with (ARGS='--kills N --seed N' for others)
	OMP_NUM_THREADS=1 $(BIN)/python -m Testing.kills $(ARGS)

bench: .bench-venv/ready  ## our methods against their peers (ARGS=--quick for a trial), in an environment of its own
	$(BENCH)/python -m Testing.benchmarks.run $(ARGS)

translations: .venv/ready  ## the panel's texts for translators, Resources/Translations/*.ts, brought up to date
	$(BIN)/python -m Testing.translations

train-gpu: .venv/ready  ## all weights that ship, trained again in ten minutes on a data-centre GPU (see training/README.md)
	$(BIN)/python -m training all --budget 9m --device cuda $(ARGS)

clean:  ## remove the environments and the demo's output
	rm -rf .venv .bench-venv demo

.venv/ready: pyproject.toml constraints.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv .venv
	@echo "Installing into .venv (a few minutes the first time)"
	$(BIN)/python $(INSTALL_TORCH)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	@touch $@

.bench-venv/ready: pyproject.toml constraints.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv .bench-venv
	$(BENCH)/python $(INSTALL_TORCH)
	$(BENCH)/python -m pip install --quiet -c constraints.txt -e .
	@for peer in $(PEERS); do $(BENCH)/python -m pip install --quiet -c constraints.txt $$peer \
	  || echo "The peer $$peer could not be installed; the benchmark runs without it."; done
	@touch $@
