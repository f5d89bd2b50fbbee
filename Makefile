# One command each; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
REGIONS ?= pl84,fi1c

.PHONY: help setup demo up story test drills lint types format bench screenshots schemas lock clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## Install everything into this folder: Python packages, Kafka's jars, browser assets
	@PYTHON=$(PYTHON) scripts/setup.sh

demo: setup ## Two regions on this machine, the main job step by step, then the UI (ONCE=1: stop after the job)
	@$(BIN)/tibs demo --regions $(REGIONS) $(if $(ONCE),--once)

up: setup ## Two regions on this machine, empty but for the sample
	@$(BIN)/tibs up --regions $(REGIONS)

story: ## The main job once more, on what `make up` or `make demo` started
	@$(BIN)/tibs story

test: setup ## All tests, fast ones first
	@scripts/setup-browser.sh
	@$(BIN)/python scripts/test.py $(STAGES)

drills: setup ## Faults under load between two regions, for an hour (SHORT=1: ten minutes); ends with one JSON line
	@scripts/setup-drills.sh
	@PYTHONPATH=tests $(BIN)/python -m drills $(if $(SHORT),--short) $(DRILLS)

lint: setup ## Style, types and the walls between packages
	@$(BIN)/python scripts/test.py lint

format: ## Put the code into its form
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format -q .

bench: setup ## Measure what is claimed; ends with one JSON line
	@$(BIN)/python -m bench

screenshots: setup ## Every page at both widths, into docs/images
	@scripts/setup-browser.sh
	@$(BIN)/python scripts/screenshots.py

schemas: setup ## Write JSON Schemas and the AsyncAPI document anew from the events
	@$(BIN)/python -m tibs_contracts.schemas
	@$(BIN)/python -m tibs_contracts.asyncapi

lock: setup ## Resolve the newest versions that the packages allow
	@scripts/lock.sh

clean: ## Remove what setup, demo and tests made
	@rm -rf .venv .tools .tibs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
