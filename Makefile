# The commands of the project. `make demo` shows what it does, `make test` proves it.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format generate bench regression bench-training bench-serving clients workbench clean
PYTHON ?= python3
BIN := .venv/bin

help: ## Show these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: ## Make .venv with .venv/bin/peftw
	@PYTHON=$(PYTHON) tools/setup.sh

demo: setup ## Train a real language model here and watch it answer differently
	@$(BIN)/python tools/demo.py

test: setup ## Run every test, the real editor included
	@$(BIN)/python tools/test.py $(LAYERS)

check: setup extension/node_modules ## Lint, types, import floors, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check
	cd extension && npm run --silent lint && npm run --silent typecheck && npm run --silent generate -- --check

format: setup extension/node_modules ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd extension && npm run --silent format

generate: setup extension/node_modules ## Write schemas, TypeScript types and reference pages from the models
	$(BIN)/python tools/generate.py
	cd extension && npm run --silent generate

bench: setup ## Measure the language server against yaml-language-server
	@$(BIN)/python benchmarks/lsp/run.py

regression: setup ## See whether the language server became slower than its stored ratios
	@mkdir -p .bench
	@$(BIN)/python benchmarks/lsp/run.py --rounds 1 --lines 200 --json .bench/lsp.json
	@$(BIN)/python benchmarks/regression.py .bench/lsp.json benchmarks/baselines/lsp.json

bench-training: setup ## Measure training against TRL's SFTTrainer
	@$(BIN)/python benchmarks/training/run.py

bench-serving: setup ## Measure serving against llama-cpp-python's servers and xllamacpp
	@$(BIN)/python benchmarks/serving/run.py

clients: setup ## Install other programs' clients of the API, which some tests use
	@$(BIN)/python tests/clients/install.py

workbench: setup extension/node_modules ## Open the real editor on the sample workspace
	cd extension && npm run --silent workbench

extension/node_modules: extension/package-lock.json
	cd extension && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

clean: ## Remove what was built in this folder
	rm -rf .venv extension/node_modules extension/dist
