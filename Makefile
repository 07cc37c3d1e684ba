# One environment for everything: the first target that needs it makes it, without root.
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ARGS ?=

.PHONY: demo test check oracle mutants fuzz fuzz-long chaos chaos-long bench docs venv clean
.DEFAULT_GOAL := help

help:            ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(STAMP)   ## a city in a rainstorm, live; options by ARGS="..."
	@$(BIN)/yiwang demo $(ARGS)

test: $(STAMP)   ## every test there is
	@$(BIN)/python -m pytest -q -n auto --dist loadfile $(ARGS)

check: $(STAMP)  ## style, types, the catalogue files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yiwang catalogue check indicators/data

oracle: $(STAMP) ## random cities against the oracle; ARGS="--minutes 60 --jobs 2"
	@$(BIN)/python -m tests.oracle.many_cities $(ARGS)

chaos: $(STAMP)  ## kill, freeze and starve an engine on Kafka, and compare; ARGS="--kills 8"
	@$(BIN)/python -m tests.chaos.chaos $(ARGS)

chaos-long: $(STAMP) ## the same with 40 kills and three brokers; writes chaos.md
	@$(BIN)/python -m tests.chaos.chaos --kills 40 --seconds 900 --brokers 3 --report chaos.md $(ARGS)

fuzz: $(STAMP)   ## 200,000 wrong inputs to every reader of what comes from outside; ARGS="--seed 2"
	@$(BIN)/python -m tests.fuzz.fuzz --inputs 200000 --jobs 2 $(ARGS)

fuzz-long: $(STAMP) ## the same with 10 million; ARGS="--report fuzz.md" writes the table
	@$(BIN)/python -m tests.fuzz.fuzz --inputs 10000000 $(ARGS)

mutants: $(STAMP)  ## wrong formulas against the golden cases; writes docs/mutants.md
	@$(BIN)/python -m benchmarks.mutants $(ARGS)

bench: $(STAMP)  ## throughput on a simulated city, as a Markdown table
	@$(BIN)/python benchmarks/throughput.py $(ARGS)

docs: $(STAMP)   ## write the references: formulas, indicators, configuration, JSON Schemas
	@mkdir -p docs
	@$(BIN)/yiwang catalogue docs --to docs
	@$(BIN)/yiwang config docs > docs/configuration.md
	@$(BIN)/yiwang config schemas docs/schemas

venv: $(STAMP)   ## make the environment, or bring it up to date

clean:           ## remove the environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info

# The stamp is written last, so that an interrupted installation starts again.
$(STAMP): pyproject.toml constraints.txt
	@python=$$(for p in python3.11 python3.12 python3 python; do \
	  "$$p" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	    && echo "$$p" && break; done); \
	test -n "$$python" || { echo "Python 3.11 or 3.12 with venv is needed; neither python3.11, python3.12" \
	  "nor python3 is one. Install it (e.g. apt install python3.11-venv) and run make again." >&2; exit 1; }; \
	echo "making $(VENV) with $$python: a minute or two, once"; \
	"$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)
