# One line each; every line can be pasted into a shell. `make` alone lists them.
.PHONY: help setup model test-model demo up down status test check fast render images schemas lock clean
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PYTHONPATH_ROOMS := .:shared:inference-services/mapper:inference-services/injection

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: constraints.txt functions/detect/models.txt inference-services/mapper/models.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/uv pip install --quiet --compile-bytecode --no-deps --requirements constraints.txt --requirements functions/detect/models.txt --requirements inference-services/mapper/models.txt --editable .
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python opa-golib-python-bindings==0.4.4  # real OPA, to compare with
	touch $@

setup: .venv/.ready  ## .venv with everything the system and its tests need

.venv-model/.ready: constraints-model.txt
	$(PYTHON) -m venv .venv-model
	.venv-model/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-model/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement constraints-model.txt
	touch $@

model: .venv-model/.ready  ## the model's own environment (2.6 GB) and its weights: base and adapter joined
	PYTHONPATH=shared:inference-services/mapper .venv-model/bin/python -m mapper_training.merge smollm2-ranked

test-model: .venv-model/.ready  ## the tests that need torch, in the model's environment
	.venv-model/bin/python -m pytest tests/unit/mapper_training tests/integration/mapper_training

demo: setup  ## get the model, start the system, send real input through it, print what came out, stop
	@$(MAKE) --no-print-directory model || echo "The model could not be had here; rules and retrieval answer without it."
	@$(BIN)/llama-mapper demo

up: setup  ## start the system and leave it running until Ctrl-C
	@$(BIN)/llama-mapper up

down: setup  ## stop a system that runs in the background
	@$(BIN)/llama-mapper down

status: setup  ## what runs, where, since when
	@$(BIN)/llama-mapper status

test: setup check  ## checks, then every test, with coverage
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=85

fast: setup  ## unit and contract tests only
	$(BIN)/python -m pytest tests/unit tests/contracts -q

check: setup  ## ruff, mypy strict, import rules
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy shared functions inference-services/mapper inference-services/injection tests
	PYTHONPATH=$(PYTHONPATH_ROOMS) $(BIN)/lint-imports

render: setup  ## build every overlay and combination, and check what comes out as a cluster would
	PYTHONPATH=$(PYTHONPATH_ROOMS) $(BIN)/python -m tests.manifests

images: setup  ## build every image, prove what it answers and what it cannot do, measure it (IMAGES="detect mapper" for some)
	PYTHONPATH=. $(BIN)/python -m tests.images $(IMAGES)

schemas: setup  ## write eventing/schemas from the contracts
	$(BIN)/llama-mapper schemas write

lock: setup  ## resolve every room's requirements into constraints.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --python-version 3.11 --universal --output-file constraints.txt pyproject.toml functions/*/requirements.txt inference-services/*/requirements.txt shared/llama_mapper/*/requirements.txt tests/requirements.txt

clean:  ## remove the environment, caches and what the local run left
	rm -rf .venv .venv-model .run .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
