# make serve | test | train | bench | docs | lint | audit: each creates what it needs first.
PYTHON ?= python3
PORT ?= 8080
FROM ?= .
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check

# The first Python that can make the environment, of $(PYTHON) and newer ones on the PATH; empty for none.
NEW_ENOUGH := sys.exit(sys.version_info < (3, 11))
FOUND = $(firstword $(foreach name,$(PYTHON) python3.11 python3.12 python3.13 python3.14,\
  $(shell $(name) -c 'import sys, venv, ensurepip; $(NEW_ENOUGH)' >/dev/null 2>&1 && echo $(name))))
WANTED = digits needs Python 3.11 or newer, with venv (python3-venv on Debian); $(PYTHON) is \
  $(or $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null),not there). \
  Install one, or name it: make PYTHON=/path/to/python
# An environment whose Python is older, or gone, is made anew.
STALE := $(shell test ! -e $(VENV) || $(RUN) -c 'import sys; $(NEW_ENOUGH)' 2>/dev/null || echo stale)

.PHONY: help serve test train teach bench docs lint audit format clean stale

help:
	@echo "make serve [PORT=9000]   start the service on 127.0.0.1"
	@echo "make test                run all tests"
	@echo "make train               train digits-8x8 into runs/, beside the model in models/"
	@echo "make teach [FROM=DIR]    train on the corrections that the page saved into DIR, and publish"
	@echo "make bench               print the benchmark tables"
	@echo "make docs                generate the documents' tables, then draw their pictures; needs Chromium"
	@echo "make lint                check format, style, types and security"
	@echo "make format              format the code and fix what can be fixed"
	@echo "make audit               ask pypi.org for known vulnerabilities of what the service installs"

$(VENV)/pyvenv.cfg: $(STALE)
	$(if $(FOUND),,$(error $(WANTED)))
	@rm -rf $(VENV)
	@echo "Making $(VENV) with $(FOUND)."
	@$(DOTS); $(FOUND) -m venv $(VENV)

# A dot every other second, until the line's end: venv and pip are silent for as long as disk and network take.
DOTS = trap 'exit 130' INT TERM; (while sleep 2; do printf .; done) & dots=$$!; trap 'kill $$dots; echo' EXIT

define install
@echo "Installing what $(1) into $(VENV), once."
@$(DOTS); $(INSTALL) $(2)
@touch $@
endef

# Three stamps, each for what its targets need: serving takes a few wheels, training some more, testing many.
# --no-compile: Python compiles what is imported, which is little of it, when it is imported.
$(VENV)/.serving: $(VENV)/pyvenv.cfg service/requirements.txt
	$(call install,serving needs,--no-compile -r service/requirements.txt)

$(VENV)/.training: $(VENV)/pyvenv.cfg service/requirements.txt trainer/requirements.txt
	$(call install,training needs,-r trainer/requirements.txt)

$(VENV)/.all: $(VENV)/pyvenv.cfg requirements.txt $(wildcard service/requirements*.txt trainer/requirements*.txt) tests/requirements.txt
	$(call install,the tests need,-r requirements.txt)

# As in the Dockerfile: what glibc keeps of freed memory, and gives back.
serve: export MALLOC_MMAP_THRESHOLD_ = 1048576
serve: export MALLOC_TRIM_THRESHOLD_ = 8388608
serve: export MALLOC_TOP_PAD_ = 1048576
serve: export MALLOC_ARENA_MAX = 2
serve: $(VENV)/.serving
	@HOST=$${HOST:-127.0.0.1} PORT=$(PORT) exec $(RUN) -m service

# Bytecode is kept, whatever the environment says: hundreds of processes import the same modules.
test: $(VENV)/.all
	env -u PYTHONDONTWRITEBYTECODE $(RUN) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

train: $(VENV)/.training
	$(RUN) -m trainer train digits

teach: $(VENV)/.training
	unzip -qn $(FROM)/'corrections-*.zip' -d mine
	$(RUN) -m trainer train folder --data mine --recipe own-digits --name mine --to models

bench: $(VENV)/.all
	$(RUN) -m tests.bench_serving
	$(RUN) -m tests.bench_preprocessing
	-$(INSTALL) -r tests/requirements-torch.txt
	$(RUN) -m tests.bench_training

docs: $(VENV)/.all
	$(RUN) -m docs.examples examples
	$(RUN) -m docs
	$(RUN) -m docs.pictures docs/pictures
	$(RUN) -m tests.browser.screenshots tests/browser/pictures

lint: $(VENV)/.all
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m bandit --quiet --recursive service trainer

# Apart from `lint`: it asks pypi.org which versions are known to be vulnerable, and fails if it gets no answer.
audit:
	@test -x .venv-audit/bin/pip-audit || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements-audit.txt
	.venv-audit/bin/pip-audit --strict --no-deps --disable-pip -r service/requirements.txt

format: $(VENV)/.all
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

clean:
	rm -rf $(VENV) .venv-audit .pytest_cache .ruff_cache .mypy_cache
