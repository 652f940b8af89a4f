# `make help` lists the targets. Works with GNU make from 3.81 on.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Processes of `make test`, each with a database, broker, worker and browser of its own.
JOBS   ?= 2
# Wide enough for one line per package, and no questions.
PIP    := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

.DEFAULT_GOAL := help
.PHONY: help demo up setup browser test test-slow check fmt bench flywheel demo-weights screenshots clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /	/' | awk -F'	' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: setup ## Set up, load the demo, serve it until Ctrl-C
	@exec $(BIN)/python manage.py demo

up: setup ## Serve without the demo until Ctrl-C
	@exec $(BIN)/python manage.py up

setup: ## Make .venv and install the locked packages where they changed
	@PYTHON="$(PYTHON)" sh scripts/bootstrap.sh $(VENV) $(STAMP)

browser: setup ## Install Chromium for the browser tests where there is none
	@sh scripts/bootstrap_browser.sh $(BIN)

test: browser check ## Run all checks and tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile

test-slow: browser ## Run the tests that take minutes
	@$(BIN)/python -m pytest -m slow; code=$$?; \
	if [ $$code -eq 5 ]; then echo "There are no slow tests."; exit 0; fi; exit $$code

check: setup ## Lint, formats, types, templates, import directions, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djlint --quiet --check --lint templates
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_migrations.py

fmt: setup ## Format Python and templates
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	-$(BIN)/djlint --quiet --reformat templates

bench: setup ## Measure against the budgets
	$(BIN)/python -m benchmarks

flywheel: setup ## Measure rounds of review and training (DATASET=FOLDER WEIGHTS=FILE ROUNDS= SEEDS= DECISIONS= EPOCHS= IMGSZ=)
	@exec $(BIN)/python -m benchmarks.flywheel $(if $(DATASET),--dataset "$(DATASET)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") \
	$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(DECISIONS),--decisions $(DECISIONS)) \
	$(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(IMGSZ),--imgsz $(IMGSZ))

demo-weights: setup ## Train the demo's small weights again
	$(BIN)/python scripts/demo_weights.py

screenshots: setup browser ## Make README's pictures again
	$(BIN)/python scripts/screenshots.py

clean: ## Remove caches; data and .venv stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
