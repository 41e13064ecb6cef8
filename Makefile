# Everything a person runs here; `make help` lists it. Needs only python3 >= 3.11 with venv, and a network for the first install.
SHELL  := /bin/bash
PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= 2.13.0
BIN    := $(VENV)/bin
VIGIL  := $(BIN)/vigil
CLIP   := service/cli/demo_clip/room.mp4

# An install is done again only when the pins, the package's own metadata or the interpreter change.
key        = $(shell { cat $(1) pyproject.toml; $(PYTHON) -V; echo $(TORCH); } 2>/dev/null | cksum | cut -d' ' -f1)
PINS_BASE := requirements/build.txt requirements/default.txt
PINS_DEV  := requirements/build.txt requirements/dev.txt
DEFAULT   := $(VENV)/.default-$(call key,$(PINS_BASE))
DEV       := $(VENV)/.dev-$(call key,$(PINS_DEV))
PIP       := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test check train train-small eval bench bench-gpu clip files dashboards expressions screenshot lock sizes image-check servers clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2}'

demo: $(DEFAULT) ## watch a live test stream in your browser; URL=rtmp://... | http://...m3u8 | FILE watches that instead
	@$(VIGIL) demo $(if $(URL),"$(URL)") $(if $(PORT),--port "$(PORT)") $(if $(DATA),--data "$(DATA)")

test: $(DEV) servers ## install everything that tests need, then run every test
	@$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: $(DEV) ## lint, format, types, import arrows, pins
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest tests/repository

train: $(DEV) ## train a checkpoint (ARGS="--help" says more)
	@$(VIGIL) train $(ARGS)

train-small: $(DEV) ## train end to end in the time CI has, and fail unless it clearly beats an untrained head
	@$(VIGIL) train --small $(ARGS)

eval: $(DEV) ## measure the shipped checkpoint on SynthHome-test and RealMini, print every table (ARGS="--help" says more)
	@$(VIGIL) eval $(ARGS)

bench: $(DEV) ## measure this machine, at most ten minutes on two cores; tables, JSON and plots (ARGS="--help" says more)
	@$(VIGIL) bench --json bench/results $(ARGS)

bench-gpu: ## measure a GPU without a network: needs only a python3 with torch; what else it lacks may lie in wheels/ (ARGS="--help")
	@test ! -d wheels || $(PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target build/wheels wheels/*.whl
	@PYTHONPATH=build/wheels $(PYTHON) -m engines.bench_gpu $(ARGS)

clip: $(DEV) servers ## render the demo clip again (about ten minutes)
	@$(VIGIL) data demo-clip --out $(CLIP)

files: $(DEV) ## write docs/files.md and docs/metrics.md again: one line a file, one a metric
	@$(BIN)/python -m tests.repository.file_list
	@$(BIN)/python -m tests.repository.metrics_page

dashboards: $(DEV) ## write the Grafana dashboards' JSON again
	@$(BIN)/python -m deploy.grafana.build

expressions: $(DEV) servers ## ask every expression of every panel and rule of a service under load, print what it says (ARGS="--out FILE")
	@$(BIN)/python -m tests.deploy.expressions $(ARGS)

screenshot: $(DEV) servers ## take the README's picture of the running product again
	@$(BIN)/python -m tests.browser.screenshot docs/console.png

sizes: $(DEV) ## measure a clean install of the default set, and what the gpu set is to download
	@$(BIN)/python -m deploy.sizes

image-check: $(DEV) servers ## lint the Dockerfile, build its cpu target without a Docker engine, start the result and ask it (as root)
	@$(BIN)/pytest -s tests/deploy/test_dockerfile.py tests/deploy/test_image.py

lock: $(DEV) ## pin the newest allowed versions again, with hashes and without any index address
	@requirements/lock $(BIN)/uv $(TORCH)

clean: ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "Vigil needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "python3 cannot make an environment: install its venv module (Debian: python3-venv)" >&2; exit 1; }

$(DEFAULT): | $(BIN)/python
	@echo "installing the default set into $(VENV) (once)"
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/default.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.default-* && touch $@

# torch stands apart: its wheels differ by platform and device, so it is pinned by version, not by hash.
$(DEV): | $(BIN)/python
	@echo "installing the development set into $(VENV) (once)"
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/dev.txt
	@$(PIP) "torch==$(TORCH)"
	@$(PIP) --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.dev-* && touch $@

servers:
	@requirements/servers
