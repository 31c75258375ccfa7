# make help says what there is. The environment lives in .venv, the site in _build/html.
SHELL := /bin/sh
BIN := .venv/bin
SITE := _build/html
PORT ?= 8000
WORKERS ?= 2
PYTHON ?=
export MPLBACKEND := agg
export TOKENWALL_STATIC := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

BUILD := $(BIN)/jupyter-book build . --all -W -n --keep-going --quiet
# tests/conftest.py says what stays together and in which order it is handed out.
SPREAD := --dist loadscope --no-loadscope-reorder
NBVAL := --nbval --nbval-current-env --nbval-cell-timeout 120 --nbval-sanitize-with tests/nbval_sanitize.cfg

.PHONY: help env book site lint test lab serve bench validate peers notebooks requirements clean

help:
	@echo "make book          build the site and say where it is"
	@echo "make test          all checks: style and types, library, notebooks, site, browser"
	@echo "make lab           open the chapters in JupyterLab"
	@echo "make serve         build, then serve the site on http://127.0.0.1:$(PORT)"
	@echo "make bench         time the equations, and the peers that make peers has installed"
	@echo "make validate      print the errors of predictions beside the bars that we set ourselves"
	@echo "make peers         install four other programs and compare what they predict (2 GB)"
	@echo "make notebooks     execute the chapters in place, the same way every time"
	@echo "make lint          style, types and import rules only"
	@echo "make requirements  pin requirements.txt again from pyproject.toml"
	@echo "make clean         remove what was built (not .venv)"

env:
	@PYTHON="$(PYTHON)" tools/environment.sh

site: env
	@echo "Building the site, warnings are errors ..."
	@rm -rf $(SITE)
	@$(BUILD)

book: site
	@echo
	@echo "The book is in  $(CURDIR)/$(SITE)"
	@echo "Open            file://$(CURDIR)/$(SITE)/book/index.html"

lint: env
	@echo "Style (ruff) ..."
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "Types (mypy) ..."
	@$(BIN)/mypy
	@echo "Import rules ..."
	@$(BIN)/lint-imports --no-cache

test: lint site
	@$(BIN)/python tools/find_browser.py
	@echo "Library, notebooks, site and browser (pytest) ..."
	@$(BIN)/python -m pytest -n $(WORKERS) $(SPREAD) --durations=30 --durations-min=1 $(NBVAL) tests lib book

# A notebook that is not trusted shows its figures only once its cells have run.
lab: env
	@$(BIN)/jupyter trust book/*.ipynb book/*/*.ipynb >/dev/null
	@env -u TOKENWALL_STATIC -u MPLBACKEND $(BIN)/jupyter lab --notebook-dir . book/index.ipynb

serve: book
	@echo "Serving on http://127.0.0.1:$(PORT)/ (Ctrl-C ends it)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(SITE)

bench: env
	@$(BIN)/python tools/bench.py
	@$(BIN)/python tools/bench_peers.py

validate: env
	@$(BIN)/python tools/validate.py

peers: env
	@$(BIN)/python tools/peers.py

notebooks: env
	@$(BIN)/python tools/execute_notebooks.py
	@$(BIN)/python tools/readme_picture.py

requirements: env
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/python tools/pin_requirements.py

clean:
	rm -rf _build build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .jupyter_cache
	find lib tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
