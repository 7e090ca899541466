# Provost. `make help` lists what there is.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ifdef CACHE
export PROVOST_CACHE := $(abspath $(CACHE))
endif
BIN := $(or $(PROVOST_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/provost)/bin

.PHONY: help
help: ## List what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
	@echo
	@echo "CACHE=folder keeps the built tools there, rather than in ~/.cache/provost:"
	@echo "make demo CACHE=/var/tmp/provost"

.PHONY: setup
setup: ## Build the pinned tools that demo and tests need, once (10 minutes on 2 cores)
	@tests/tools/setup.sh etcd kubernetes helm argocd scim scimmy slapd keycloak
	@if tests/tools/setup.sh --can samba; then tests/tools/setup.sh samba; else echo "left out: samba (needs root and apt-get)"; fi

# What a story needs of the tools, and its name for the program. A build from nothing takes minutes: cargo shows how far it is.
define story
@tests/tools/setup.sh etcd kubernetes helm $(1)
@target=$$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'); \
  quiet=--quiet; \
  if [[ ! -x "$$target/debug/provost" || ! -x "$$target/debug/demo" ]]; then \
    quiet=; echo "Building the operator and the demo: 5 to 8 minutes on 2 cores, this once."; \
  fi; \
  cargo build $$quiet -p provost -p tests --bins; \
  PROVOST_BIN="$$target/debug/provost" "$$target/debug/demo" $(2) $(if $(KEEP),--keep)
endef

# What it does before the story begins: on a first run that is long.
define beforehand
@echo "The first run takes about 15 minutes on 2 cores: it builds what is missing of a"
@echo "Kubernetes API server and the target's server, then the operator, from source."
@echo "Later runs take about 90 seconds."
endef

.PHONY: demo
demo: ## Watch it work on real servers, told as a story (KEEP=1 leaves it running)
	$(beforehand)
	$(call story,scim,scim)

.PHONY: demo-ldap
demo-ldap: ## The same story on an LDAP directory (OpenLDAP's slapd)
	$(beforehand)
	$(call story,slapd,ldap)

.PHONY: demo-keycloak
demo-keycloak: ## The same story on a realm of Keycloak
	$(beforehand)
	$(call story,keycloak,keycloak)

.PHONY: test
test: setup ## Everything that must pass, from a fresh clone
	cargo build --workspace --bins
	cargo test --workspace --no-fail-fast

.PHONY: test-ad
test-ad: ## The tests of Active Directory alone, on Samba (as root, on a Debian)
	@tests/tools/setup.sh etcd kubernetes samba
	cargo build --workspace --bins
	cargo test --workspace --test contract_active_directory --test active_directory_accounts --test active_directory_trouble --test active_directory_changes --test e2e_active_directory

.PHONY: lint
lint: ## rustfmt, clippy, cargo-deny, helm lint, shell scripts, the fence, generated files
	@tests/tools/setup.sh helm cargo-deny
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	$(BIN)/cargo-deny check --hide-inclusion-graph licenses bans sources
	for chart in charts/*/; do $(BIN)/helm lint --quiet "$$chart"; done
	for script in .ci/run tests/tools/setup.sh tests/kind.sh; do bash -n "$$script"; done
	grep -qx "FROM rust:$$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)-alpine AS build" Dockerfile
	cargo test --quiet -p tests --test fence --test generated --test charts

.PHONY: audit
audit: ## Known vulnerabilities in dependencies (needs a network)
	@tests/tools/setup.sh cargo-deny
	$(BIN)/cargo-deny check advisories

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: generate
generate: ## Rewrite what is generated: resources, charts, table of reasons, examples' plans
	@tests/tools/setup.sh helm
	UPDATE=1 cargo test --quiet -p provost-crds
	UPDATE=1 cargo test --quiet -p tests --test generated --test charts

.PHONY: bench
bench: ## Measure the figures of docs/performance.md: make bench [ONLY="directory rule"]
	@tests/tools/setup.sh scim slapd keycloak
	@cargo bench --quiet -p tests --bench figures -- $(ONLY)

.PHONY: bench-scale
bench-scale: ## The same of a whole operator with 20 applications: make bench-scale [PEOPLE=10000]
	@tests/tools/setup.sh etcd kubernetes helm
	@cargo build --quiet --workspace --profile bench --bin provost
	@PEOPLE=$(or $(PEOPLE),10000) cargo bench --quiet -p tests --bench scale

.PHONY: soak
soak: ## The simulation over many seeds: make soak SEEDS=10000
	PROVOST_SEEDS=$(or $(SEEDS),2000) cargo test -p tests --test simulation -- --nocapture

.PHONY: mutants
mutants: ## Break a rule at a time, and see a test notice: make mutants [ONLY="budget-ignored"]
	@cargo run --quiet -p tests --bin mutants -- $(ONLY)

.PHONY: fuzz
fuzz: ## Rules, manifests, answers under libFuzzer: make fuzz SECONDS=60 (needs nightly Rust)
	@tests/tools/setup.sh cargo-fuzz
	for target in rules manifests scim ldap keycloak; do \
	  mkdir -p tests/fuzz/corpus/$$target; \
	  PATH="$(BIN):$$PATH" cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target \
	    -- -max_total_time=$(or $(SECONDS),60) -timeout=10 -dict=tests/fuzz/seeds/$$target.dict; \
	done

.PHONY: kind
kind: ## A kind cluster with the chart, from an image built here (needs Docker, kind, helm)
	tests/kind.sh
