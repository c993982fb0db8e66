# Each target creates what it needs, its own environment included. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python of 3.11 to 3.13 that really starts (a version manager's shim may exist and refuse).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PLATFORM ?= amd64
LAYER ?= deployment.camera2.template.json

# What `make run` may be told: real input, once or for ever, where to write the figures, where to listen, as what.
DATA ?=
ONCE ?=
REPORT ?=
PICTURES ?=
PORT ?= 8080
ADDRESS ?= 127.0.0.1
RECIPE ?=
TRAP_CAMERA ?= 127.0.0.1:8090
CONTAINERS ?=
STATE ?= .state
SECONDS = 60

.PHONY: help install run test test-hubs test-parts check lint bench federated fuzz soak mutants train build push deploy layer sbom images-test clean lock

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Millwatch needs Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of packages; a changed lock file installs again.
$(VENV)/.%: requirements/%.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

install: $(VENV)/.run ## the environment that `make run` uses

run: $(VENV)/.run ## the whole line on this machine (CONTAINERS=1: from the images; RECIPE=cold-chain: a recipe of docs/recipes; DATA=dir ONCE=1 REPORT=file.json: on real recordings and pictures)
ifneq ($(RECIPE),)
	@test -d docs/recipes/$(RECIPE) || { echo "no recipe $(RECIPE); there are: $(notdir $(wildcard docs/recipes/*))"; exit 1; }
	@MILLWATCH_STATUS_PORT=$(PORT) MILLWATCH_SIMULATOR=docs/recipes/$(RECIPE)/simulator.toml TRAP_CAMERA=$(TRAP_CAMERA) $(if $(wildcard .env),,CONTAINER_REGISTRY_SERVER=127.0.0.1:5000) \
		$(BIN)/python -m localhub run deployment.template.json --layer docs/recipes/$(RECIPE)/deployment.$(RECIPE).template.json --leaf simulator \
		--address $(ADDRESS) --state $(STATE)-$(RECIPE) --page http://127.0.0.1:$(PORT)
else ifeq ($(DATA),)
	@MILLWATCH_STATUS_PORT=$(PORT) $(if $(wildcard .env),,CONTAINER_REGISTRY_SERVER=127.0.0.1:5000) $(BIN)/python -m localhub run deployment.template.json --address $(ADDRESS) --state $(STATE) \
		--page http://127.0.0.1:$(PORT) $(if $(CONTAINERS),--containers)
else
	@$(BIN)/python -m devices.playback "$(DATA)" --address $(ADDRESS) --port $(PORT) --state $(STATE)-playback \
		$(if $(ONCE),--once) $(if $(REPORT),--report "$(REPORT)") $(if $(PICTURES),--pictures $(PICTURES))
endif

# In two processes of about the same length, for both wait most of their time: most that start hubs, lines and containers,
# and the rest. One that fails does not end the other.
HUBS := tests/system tests/docker tests/localhub tests/devices tests/fleet tests/crash
test: $(VENV)/.dev ## every test that this machine can run
	@$(MAKE) --no-print-directory --jobs=2 --keep-going test-hubs test-parts

test-hubs:
	$(BIN)/python -m pytest -q -m "not soak" $(HUBS)

test-parts:
	$(BIN)/python -m pytest -q -m "not soak" $(addprefix --ignore=,$(HUBS)) tests

check: $(VENV)/.dev ## style, types, arrows between packages, the manifest, the API document
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m localhub lint deployment.template.json
	@for recipe in $(notdir $(wildcard docs/recipes/*)); do TRAP_CAMERA=$(TRAP_CAMERA) $(BIN)/python -m localhub lint deployment.template.json \
		--layer docs/recipes/$$recipe/deployment.$$recipe.template.json || exit 1; done
	$(BIN)/python -m modules.status openapi --check docs/openapi.json

# The peers have an environment of their own: one of them installs a package called `tests`.
.venv-bench/.bench: requirements/bench.txt
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

bench: .venv-bench/.bench ## the figures, measured here beside their peers and limits
	.venv-bench/bin/python -m bench

# Flower wants older releases of libraries that we share with it.
.venv-federated/.federated: requirements/federated.txt
	@test -x .venv-federated/bin/python || $(PYTHON) -m venv .venv-federated
	.venv-federated/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

federated: .venv-federated/.federated ## federated learning's own environment (.venv-federated), and the tests that need it
	.venv-federated/bin/python -m pytest -q -m "not soak" tests/models/federated

fuzz: $(VENV)/.dev ## what a client may send, for SECONDS (60): by coverage where atheris has a wheel
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

soak: $(VENV)/.dev .venv-federated/.federated ## the long proofs
	$(BIN)/python -m pytest -q -m soak --timeout 7200 -o faulthandler_timeout=7230 -o ending_timeout=600

mutants: $(VENV)/.dev ## one-line sabotages: a named test must fail for each
	$(BIN)/python -m tests.mutants

# Training alone needs PyTorch: an environment of its own, so that nobody else has to install it.
.venv-train/.train: requirements/train.in
	@test -x .venv-train/bin/python || $(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Else the C library gives back to the system what a step has used, and asks for it anew at the next one.
train: export MALLOC_MMAP_MAX_ = 0
train: export MALLOC_TRIM_THRESHOLD_ = 8000000000
train: .venv-train/.train ## the model packages again, from the real data (DATA=dir, default ../shared/data)
	.venv-train/bin/python -m models.training $(if $(DATA),--data "$(DATA)")

build: ## container images, through iotedgedev (PLATFORM=amd64 or arm64v8)
	docker/tool build $(PLATFORM)

push: ## build and push them to CONTAINER_REGISTRY_SERVER of .env
	docker/tool push $(PLATFORM)

deploy: ## set the modules of EDGE_DEVICE_ID, through az iot edge set-modules
	docker/tool deploy $(PLATFORM)

layer: $(VENV)/.run ## a layered deployment from its template (LAYER=deployment.camera2.template.json)
	docker/tool layer $(LAYER) $(PLATFORM)

sbom: ## a bill of materials (CycloneDX) of each image, in build/sbom
	docker/tool sbom

images-test: $(VENV)/.dev ## engine, base, registry, all five images built and pushed, the line run from them (root, Debian)
	docker/engine registry
	$(if $(wildcard .env),,DOTENV_FILE=.env.example) docker/tool push $(PLATFORM)
	docker/tool sbom
	$(BIN)/python -m pytest -q tests/docker tests/system/test_images.py tests/system/test_containers.py

lock: ## resolve requirements/*.in again into hash-locked *.txt
	docker/tool lock

clean: ## everything that make made
	rm -rf $(VENV) .venv-bench .venv-federated .venv-train .venv-tools $(STATE) $(STATE)-* config build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
