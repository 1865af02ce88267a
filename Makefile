# Every target works as the first command on a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint bench wheelhouse docs samples clean
setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"fpipe needs Python 3.11 or newer, this is {v[0]}.{v[1]}; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/python -c 'import pathlib; pathlib.Path("$(STAMP)").touch()'

demo: $(STAMP)
	$(BIN)/fpipe demo

test: $(STAMP)
	$(BIN)/python -m pytest -n auto -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

# A folder from which a PC without network installs:
#   python -m venv .venv && .venv/bin/pip install --no-index --find-links wheels fpipe
wheelhouse: $(STAMP)
	$(BIN)/python -m pip wheel --quiet -c constraints.txt --wheel-dir wheels .
	@echo "wheels/ is ready: on the other PC run  pip install --no-index --find-links wheels fpipe"

docs: $(STAMP)
	$(BIN)/python docs/make_cli_reference.py

samples: $(STAMP)
	$(BIN)/python samples/make.py

clean:
	$(PYTHON) -c 'import shutil; [shutil.rmtree(p, ignore_errors=True) for p in ("$(VENV)", "build", "wheels", "demo-out")]'
