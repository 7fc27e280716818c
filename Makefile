# Every chore is one target; .ci/run calls `make test`. Nothing but make and Python 3.11 has to be there first.
PYTHON ?= python3
export PYTHON
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q

.DEFAULT_GOAL := help
.PHONY: help demo test bench quality docs shift render machine test-machine clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

demo: machine .venv/installed ## compile the example fleet, break it in the lab, and see the page: a minute
	@$(BIN)/sre generate examples/fleet.yaml -o out
	@$(BIN)/sre lab demo examples/fleet.yaml -o out

test: test-machine .venv/installed-test ## style, types and the whole suite
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

bench: machine .venv/installed ## what the commands, the simulation, a backtest, the rules themselves and the exporter cost
	@$(BIN)/python bench/bench.py
	@$(BIN)/python bench/simulation.py
	@$(BIN)/python bench/backtest.py
	@$(BIN)/python bench/evaluation.py
	@$(BIN)/python bench/usage_decode.py
	@$(BIN)/python bench/tail.py
	@$(BIN)/python bench/asgi.py
	@$(BIN)/python bench/exporter.py
	@$(BIN)/python bench/idle.py
	@$(BIN)/python bench/chargeback.py

quality: machine .venv/installed ## precision, recall and false pages of every alert over 208 pool-days (half an hour)
	@$(BIN)/python tools/quality/measure.py

docs: machine .venv/installed ## write the generated pages anew: commands and alerts
	$(BIN)/python docs/generate.py

shift: machine .venv/installed ## how soon a shift in reply lengths is seen, on real traces (TRACES: the folder that holds them)
	@$(BIN)/python tools/shift/measure.py $(TRACES)

# Grafana's front end is not part of this project (AGPL-3.0): RENDER names a program, see tools/render/look.py.
render: machine .venv/installed ## pictures of the dashboards (RENDER: a program that shoots one)
	$(BIN)/python tools/render/look.py examples/fleet.yaml pictures --shoot $(RENDER)

machine: ## promtool, amtool and what a virtual environment needs, as Debian packages
	@.ci/machine

# The API client is tried against a second implementation as well, and the idle report is opened in a browser.
test-machine:
	@.ci/machine victoria-metrics chromium

clean: ## remove everything that was made here
	rm -rf .venv out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The install is editable: only a change of dependencies or entry points asks for another one.
.venv/installed: pyproject.toml | .venv/bin/pip
	$(PIP) install -e .
	@touch $@

.venv/installed-test: pyproject.toml | .venv/bin/pip
	$(PIP) install -e '.[test]'
	@touch $@ .venv/installed

# pip comes last into a new environment: where it is, the environment is whole.
.venv/bin/pip: | machine
	$(PYTHON) -m venv .venv
