# Needs make and a python3 of 3.11 to 3.13; everything else is installed into .venv: requirements.lock for a run,
# requirements-dev.lock, which holds the same and more, for tests.
PYTHON ?= python3
BIN := .venv/bin
UV := .venv/uv/bin/uv
# uv, and what builds this project, with their hashes. A uv of the machine is used only if it has this version.
TOOLS := requirements-tools.lock
UV_VERSION := $(shell sed -n 's/^uv==\([^ ]*\).*/\1/p' $(TOOLS))
BUILD := --build-constraints $(TOOLS) --require-build-hashes
CAPTIONED := build/captioned/shards
SHARDS ?= $(CAPTIONED)
# Files of tests are dealt out in the order of their names: those that start Spark come first, the short ones last.
# Tests that start Spark, a cluster or other processes wait for two fifths of their time: three at once fill two cores.
PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder
# Tests start some hundred processes, each of which would compile the modules that it imports.
unexport PYTHONDONTWRITEBYTECODE
LOCK := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
# uv removes whatever is not in the lock file, and thereby this project.
sync = export VIRTUAL_ENV=$(CURDIR)/.venv; $(UV) pip sync --quiet --require-hashes $(1) \
	&& $(UV) pip install --quiet --no-deps $(BUILD) --editable .

# Whether a uv is the pinned one: `uv 1.2.3 (...)`.
is_pinned = case "$$($(1) --version 2>/dev/null) " in "uv $(UV_VERSION) "*) true;; *) false;; esac

.PHONY: help run test unit lint bench pack check-training evidence lock clean
.DEFAULT_GOAL := help

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/installed ## make the sample crawl and curate it: shards and a report in build/sample-run
	@$(BIN)/python -m tests.sample.run $(ARGS)

test: .venv/installed-dev ## run all tests, three files at a time
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

unit: .venv/installed-dev ## run the tests of functions, which start no JVM
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS) tests/unit headtail curation metadata conf

lint: .venv/installed-dev ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy headtail curation metadata jobs conf

bench: .venv/installed-dev $(if $(filter chain,$(NAME)),build/peers/installed) ## run one benchmark, NAME=extract|extract_memory|language|language_accuracy|match|balance|downloads|shards|attach|captions|signals|clusters|near_images|object_store|photographs|report|explore|search|metadata|metadata_scale|starter|pools|scale|shuffle_bytes|startup|chain|figures
	$(BIN)/python -m tests.benchmarks.$(NAME) $(ARGS)

check-training: build/training/installed ## train OpenCLIP on the samples of `make run`, SHARDS=folder on others (7 GB, once)
	$(if $(filter $(CAPTIONED),$(SHARDS)),$(BIN)/python -m tests.training.captioned)
	PYTHONPATH=. build/training/bin/python tests/training/check_streams.py
	PYTHONPATH=. build/training/bin/python tests/training/check_online.py $(SHARDS)
	PYTHONPATH=. build/training/bin/python tests/training/check_training.py $(SHARDS)
	PYTHONPATH=. build/training/bin/python tests/training/check_croissant.py $(SHARDS)
	$(if $(filter $(CAPTIONED),$(SHARDS)),PYTHONPATH=. build/training/bin/python tests/training/check_experts.py $(CAPTIONED)/../experts)

evidence: build/training/installed ## curate a small web with known truth, train OpenCLIP on it: docs/evidence.md (needs npm)
	@$(BIN)/python -m tests.evidence all $(ARGS)

pack: .venv/installed ## build the wheel, and an archive of the environment for the workers of a cluster, in dist/
	@rm -rf build/pack-run && mkdir -p build
	@$(BIN)/python -m tests.sample.run output=build/pack-run 2>build/pack.log || { cat build/pack.log; exit 1; }
	@$(UV) build --quiet --wheel $(BUILD) --out-dir dist
	@$(BIN)/python -m curation.spark.packing dist/headtail-*.whl dist/headtail-env.tar.gz

lock: .venv/installed ## resolve the dependencies again
	$(LOCK) --all-extras pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --extra s3 --extra segmentation --extra starter --extra explore --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock
	printf 'uv\nhatchling\neditables~=0.3\n' | $(LOCK) --python-version 3.11 - --output-file $(TOOLS)

clean: ## delete what make made
	rm -rf .venv build dist

.venv/installed: requirements.lock pyproject.toml $(TOOLS)
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
		f"headtail needs Python 3.11, 3.12 or 3.13, {sys.executable} is {sys.version.split()[0]}: make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@$(call is_pinned,$(UV)) || { rm -rf .venv/uv && if $(call is_pinned,uv); \
		then mkdir -p $(dir $(UV)) && ln -sf "$$(command -v uv)" $(UV); \
		else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
			--target .venv/uv -r $(TOOLS); fi; }
	@echo 'installing the locked dependencies into .venv (about 1.6 GB, once)'
	@$(call sync,$(if $(wildcard .venv/installed-dev),requirements-dev.lock,requirements.lock))
	@touch $@

.venv/installed-dev: requirements-dev.lock .venv/installed
	@echo 'installing the tools of the tests into .venv (about 0.2 GB more, once)'
	@$(call sync,requirements-dev.lock)
	@touch $@

build/peers/installed: tests/benchmarks/chain/requirements.txt requirements-dev.lock .venv/installed
	@echo 'installing the peers of the benchmark into build/peers (0.8 GB, once)'
	@$(UV) venv --quiet --clear --python $(BIN)/python build/peers
	@VIRTUAL_ENV=$(CURDIR)/build/peers $(UV) pip install --quiet --require-hashes --constraint requirements-dev.lock -r $<
	@touch $@

build/training/installed: tests/training/requirements.txt .venv/installed
	$(UV) venv --quiet --clear --python $(BIN)/python build/training
	VIRTUAL_ENV=$(CURDIR)/build/training $(UV) pip install --quiet -r tests/training/requirements.txt
	@touch $@
