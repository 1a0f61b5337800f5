# `make demo` and `make test` need a Debian 12 or Ubuntu host with Python, git, make and root (or sudo); nothing else.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
DEMO_NAME ?= assistant-demo
WITH_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
PYTEST := $(WITH_VENV) $(BIN)/python -m pytest -q -rfEs

.PHONY: help
help:  ## what can be made
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 29

# --- the two commands ---------------------------------------------------------------------------------------------

.PHONY: demo
demo:  ## from this host to a conversation with the assistant on a throwaway machine
	@$(PYTHON) -m tools.demo up --name $(DEMO_NAME)

.PHONY: test
test: lint unit integration molecule  ## lint, unit, integration and the molecule default scenario
	@echo "make test: everything passed"

# --- the demo -----------------------------------------------------------------------------------------------------

.PHONY: demo-info
demo-info:  ## one JSON object: how a script talks to the demo
	@$(PYTHON) -m tools.demo info --name $(DEMO_NAME)

.PHONY: demo-down
demo-down:  ## remove every trace of the demo's machine
	@$(PYTHON) -m tools.demo down --name $(DEMO_NAME)

# --- the parts of make test ---------------------------------------------------------------------------------------

.PHONY: venv
venv:  ## .venv from the hashed lock
	@$(PYTHON) -m tools.controller venv

.PHONY: artifacts
artifacts: venv  ## base image, wheels and model, each made once and cached
	@$(PYTHON) -m tools.controller artifacts

.PHONY: checkers
checkers:  ## programs that the tests use: nginx, sshd, PostgreSQL, Prometheus, Chromium, nmap, wrk, Node.js, two npm packages
	@$(PYTHON) -m tools.controller checkers

.PHONY: elastic
elastic: venv  ## parts of the Elastic stack that the tests use, from package registries
	@$(BIN)/python -m tools.elastic

.PHONY: lint
lint: venv  ## ansible-lint (production), yamllint, ruff, mypy --strict, shellcheck
	$(WITH_VENV) ansible-lint --offline
	$(BIN)/yamllint --strict .
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files -z --cached --others --exclude-standard | xargs -0 grep -lE '^#!.*(ba)?sh$$' | xargs $(BIN)/shellcheck

.PHONY: unit
unit: artifacts checkers  ## pure Python, and rendered templates through their own checkers
	$(PYTEST) tests/unit

.PHONY: integration
integration: artifacts checkers  ## the app with real SQLite and PostgreSQL, the emulators, Chromium
	$(PYTEST) tests/integration

.PHONY: hostile
hostile: export HOSTILE_REQUESTS ?= 10000
hostile: export HOSTILE_SEED ?= $(shell echo $$RANDOM$$RANDOM)
hostile: artifacts checkers  ## 10,000 generated hostile requests, on both databases; HOSTILE_SEED=... again
	$(PYTEST) tests/integration/app/hostile

.PHONY: molecule
molecule: artifacts checkers  ## all of site.yml on a fresh machine, looked at from outside
	@rm -f build/logs/molecule-verify.log
	$(WITH_VENV) molecule test || { tail -n 80 build/logs/molecule-verify.log 2>/dev/null; exit 1; }

# --- by hand and for releases ------------------------------------------------------------------------------------------

.PHONY: molecule-letsencrypt
molecule-letsencrypt: artifacts checkers  ## the proxy with a real ACME server (pebble), and the renewal
	$(WITH_VENV) molecule test -s letsencrypt

.PHONY: molecule-hardening
molecule-hardening: artifacts checkers  ## harden.yml alone, a reboot, everything again; MACHINE_SUITE=bookworm, jammy, ...
	@rm -f build/logs/molecule-verify.log
	@# What molecule remembers of a machine, apart for each release.
	MOLECULE_EPHEMERAL_DIRECTORY=$(CURDIR)/build/molecule/hardening-$${MACHINE_SUITE:-bookworm} $(WITH_VENV) molecule test -s hardening || { tail -n 80 build/logs/molecule-verify.log 2>/dev/null; exit 1; }

.PHONY: molecule-hardening-bullseye
molecule-hardening-bullseye:  ## the same on Debian 11, whose PAM is that of Ubuntu 22.04
	@MACHINE_SUITE=bullseye $(MAKE) molecule-hardening

.PHONY: molecule-monitoring
molecule-monitoring: artifacts checkers  ## all of site.yml with the monitoring, faults, alerts in both chats: build/bench/monitoring.json
	@rm -f build/logs/molecule-verify.log
	$(WITH_VENV) molecule test -s monitoring || { tail -n 80 build/logs/molecule-verify.log 2>/dev/null; exit 1; }

.PHONY: molecule-logging
molecule-logging: artifacts checkers  ## all of site.yml with the logging: a real Filebeat, a real Elasticsearch, lines searched for
	@rm -f build/logs/molecule-verify.log
	$(WITH_VENV) molecule test -s logging || { tail -n 80 build/logs/molecule-verify.log 2>/dev/null; exit 1; }

.PHONY: faults
faults: artifacts checkers  ## accidents while harden.yml runs, on a bare machine that stays: MACHINE_NAME=assistant-faults
	@$(PYTHON) -m tools.demo machine --name $(or $(MACHINE_NAME),assistant-faults)
	DEMO_INFO=build/machines/$(or $(MACHINE_NAME),assistant-faults)/info.json $(PYTEST) tests/machines_faults

.PHONY: virtual
virtual: venv  ## auditd and accounting on a virtual machine with a kernel of its own (qemu's emulation, 15 minutes)
	VIRTUAL=1 $(PYTEST) tests/virtual

.PHONY: rollout-drill
rollout-drill: export DEMO_INFO := build/machines/$(DEMO_NAME)/info.json
rollout-drill: artifacts checkers  ## rollouts on the demo's machine: promoted, not promoted, four faults, a reboot: build/bench/rollout.json
	$(BIN)/python -c 'from tests.machines_rollout import figures; figures.begin()'
	$(PYTEST) $(foreach part,faults judged commands,tests/machines_rollout/test_$(part).py)

.PHONY: verify-reboot
verify-reboot: export DEMO_INFO := build/machines/$(DEMO_NAME)/info.json
verify-reboot: artifacts checkers  ## the demo's machine: conversation, SSH, firewall and Docker, before and after a reboot
	$(VERIFY_DEMO)
	$(BIN)/python -m tests.machines_verify.reboot
	$(VERIFY_DEMO)

define VERIFY_DEMO
$(BIN)/python -m tests.end_to_end.conversation $(DEMO_INFO)
$(PYTEST) $(foreach subject,ssh firewall docker docker_registry assistant proxy,tests/machines_verify/test_$(subject).py)
endef

.PHONY: test-logging
test-logging: artifacts checkers elastic  ## ingest pipelines, data streams and snapshots on real Elasticsearch nodes
	$(PYTEST) tests/logging

.PHONY: bench-demo
bench-demo:  ## make demo with nothing cached, and again: build/bench/demo.json
	$(PYTHON) -m tests.bench.demo_runs

.PHONY: bench-second-run
bench-second-run:  ## site.yml on the demo's machine, unchanged, both strategies: build/bench/second_run.json
	$(BIN)/python -m tests.bench.second_run build/machines/$(DEMO_NAME)/info.json

.PHONY: bench-inference
bench-inference: artifacts  ## the engine beside llama-server and llama_cpp.server: build/bench/inference.json and .png
	$(BIN)/python -m tests.bench.inference $(BENCH_INFERENCE)

.PHONY: bench-ack
bench-ack: artifacts checkers  ## webhooks through nginx while the model is busy: build/bench/ack.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.ack $(BENCH_ACK)

.PHONY: bench-lifecycle
bench-lifecycle: artifacts  ## models compared, bad candidates released beside people: build/bench/lifecycle.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.lifecycle $(BENCH_LIFECYCLE)

.PHONY: bench-beside
bench-beside: artifacts  ## how long people wait while the model is evaluated: build/bench/evaluation_beside.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.lifecycle.beside

.PHONY: bench-metrics
bench-metrics: artifacts checkers  ## a scrape of /metrics at rest and while the model is busy: build/bench/metrics.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.metrics $(BENCH_METRICS)

.PHONY: bench-cache
bench-cache: artifacts checkers  ## cached answers of the API beside a plain handler: build/bench/cache.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.cache $(BENCH_CACHE)

.PHONY: bench-mix
bench-mix: artifacts checkers  ## 85% frequent questions at rising rates, over the API: build/bench/mix.json and .png
	PYTHONPATH=app $(BIN)/python -m tests.bench.mix $(BENCH_MIX)

.PHONY: bench-logging
bench-logging: artifacts checkers  ## what logging costs at 100 requests a second: build/bench/logging.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.logging_cost $(BENCH_LOGGING)

.PHONY: bench-log-outage
bench-log-outage: venv elastic  ## Elasticsearch away under 200 lines/s, Filebeat killed: build/bench/log_outage.json; SECONDS_AWAY=300
	$(BIN)/python -m tests.bench.log_outage --seconds $(or $(SECONDS_AWAY),300)

.PHONY: bench-corrupt-files
bench-corrupt-files: artifacts  ## 2,000 damaged model files: refused with a reason, or answered; none may kill
	PYTHONPATH=app $(BIN)/python -m tests.bench.corrupt_files

.PHONY: soak-inference
soak-inference: artifacts  ## the container with 2 CPUs and 4 GB, 8 conversations at once: build/bench/soak.json
	$(BIN)/python -m tests.bench.soak $(SOAK_INFERENCE)

.PHONY: chaos
chaos: venv checkers  ## 500 messages, 20 kills, a failing network, on both databases: build/bench/chaos.json; CHAOS_SEED=1
	PYTHONPATH=app $(BIN)/python -m tests.chaos $(if $(CHAOS_SEED),--seed $(CHAOS_SEED)) $(CHAOS)

.PHONY: audit
audit: artifacts  ## lynis and ssh-audit on a fresh machine, before and after: build/bench/audit.json
	$(BIN)/python -m tests.bench.audit $(AUDIT)

.PHONY: screenshots
screenshots: artifacts checkers  ## the pictures of the web chat in docs/images, from the app with the demo model
	PYTHONPATH=app $(BIN)/python -m tests.screenshots

.PHONY: dashboards
dashboards: venv  ## write files/grafana/dashboards from tools/dashboards
	@$(BIN)/python -m tools.dashboards

.PHONY: kibana
kibana: venv  ## write files/kibana/objects.ndjson from tools/kibana
	@$(BIN)/python -m tools.kibana

.PHONY: demo-models
demo-models: artifacts  ## train both demonstration models into files/models (up to 45 minutes each)
	PYTHONPATH=app $(BIN)/python -m tools.demo_model train $(DEMO_MODELS)

.PHONY: score-demo-model
score-demo-model: artifacts  ## held-out questions through the HTTP API: build/bench/demo_model.json
	PYTHONPATH=app $(BIN)/python -m tests.bench.demo_model $(SCORE_DEMO_MODEL)

# --- cleaning -----------------------------------------------------------------------------------------------------

.PHONY: clean
clean:  ## remove what was generated in this checkout (not the caches)
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .ansible
