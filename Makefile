# make serve | test | train | bench | docs | lint | audit: each creates what it needs first.
PYTHON ?= python3
PORT ?= 8080
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check

.PHONY: help serve test train bench docs lint audit format clean

help:
	@echo "make serve [PORT=9000]   start the service on 127.0.0.1"
	@echo "make test                run all tests"
	@echo "make train               train digits-8x8 into runs/, beside the model in models/"
	@echo "make bench               print the benchmark tables"
	@echo "make docs                generate the documents' tables, then draw their pictures; needs Chromium"
	@echo "make lint                check format, style, types and security"
	@echo "make format              format the code and fix what can be fixed"
	@echo "make audit               ask pypi.org for known vulnerabilities of what the service installs"

# Three stamps, each for what its targets need: serving takes a few wheels, training some more, testing many.
# --no-compile: Python compiles what is imported, which is little of it, when it is imported.
$(VENV)/.serving: service/requirements.txt
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --no-compile -r service/requirements.txt
	@touch $@

$(VENV)/.training: service/requirements.txt trainer/requirements.txt
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -r trainer/requirements.txt
	@touch $@

$(VENV)/.all: requirements.txt service/requirements.txt service/requirements-tracing.txt service/requirements-phones.txt trainer/requirements.txt tests/requirements.txt
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.txt
	@touch $@

# As in the Dockerfile: what glibc keeps of freed memory, and gives back.
serve: export MALLOC_MMAP_THRESHOLD_ = 1048576
serve: export MALLOC_TRIM_THRESHOLD_ = 8388608
serve: export MALLOC_TOP_PAD_ = 1048576
serve: export MALLOC_ARENA_MAX = 2
serve: $(VENV)/.serving
	HOST=$${HOST:-127.0.0.1} PORT=$(PORT) exec $(RUN) -m service

test: $(VENV)/.all
	$(RUN) -m pytest --numprocesses auto --dist loadfile

train: $(VENV)/.training
	$(RUN) -m trainer train digits

bench: $(VENV)/.all
	$(RUN) -m tests.bench_serving
	$(RUN) -m tests.bench_preprocessing
	-$(INSTALL) -r tests/requirements-torch.txt
	$(RUN) -m tests.bench_training

docs: $(VENV)/.all
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
