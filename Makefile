# Aliases only: README.md has the same commands in plain pip and Python.
# make run [PROFILE=smoke|laptop|gpu] [NAME=my-run]; make PYTHON=python3.12 run for another Python.
PYTHON ?= python3
PROFILE ?= laptop
NAME ?=
BIN := .venv/bin

.PHONY: run test check lab clean

run: .venv/installed
	$(BIN)/python -m helpers run --profile "$(PROFILE)" --name "$(NAME)"

test: .venv/installed
	$(BIN)/python -m pytest

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/nbstripout --verify --keep-id --extra-keys metadata.language_info notebooks/*.ipynb

lab: .venv/installed
	JUPYTER_PREFER_ENV_PATH=1 $(BIN)/jupyter lab notebooks

# Results stay.
clean:
	rm -rf .venv data/cache .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/installed: requirements.txt constraints.txt
	$(PYTHON) -c "import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit('Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt
	touch $@
