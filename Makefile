# All tasks of developers and of CI. Each target installs what it needs (see scripts/setup) and works as root and as an ordinary
# user, who needs sudo to install packages and to create the virtual servers' networks.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Queries are checked against the committed .sqlx, even if a .env names a database for running the service.
# scripts/sqlx-prepare, which refreshes .sqlx, overrides this.
export SQLX_OFFLINE := true

CARGO ?= cargo
# Arguments for `bootledger demo`, as in `make demo ARGS='--listen 127.0.0.1:8088'`.
ARGS ?=
# Parts of the bench for `make bench`; all of them if empty.
PARTS ?=

# Most tests wait for a server. Those that keep a processor busy take the place of two: see .config/nextest.toml.
TEST_THREADS ?= $(shell echo $$(($$(nproc) * 2)))

.PHONY: help
help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand --tabs=14

.PHONY: demo
demo: ## Starts Bootledger with its own PostgreSQL and a small data centre to try it; Ctrl-C stops it
	@scripts/setup run
	@echo 'make: building the demo; the first time this takes some minutes on two cores'
	@exec $(CARGO) run --profile demo --locked -- demo $(ARGS)

# nextest comes last, so that its summary ends the output. Property tests use a fixed seed, so that a failure comes from a change
# and can be repeated. For other cases: PROPTEST_RNG_SEED=2 make test
.PHONY: test
test: export PROPTEST_RNG_SEED ?= 1
test: ## Runs every check and every test
	@scripts/setup test
	$(CARGO) fmt --all --check
	scripts/sqlx-prepare --check
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps --document-private-items
	$(CARGO) test --quiet --locked --workspace --doc
	scripts/with-postgres $(CARGO) nextest run --locked --workspace --test-threads $(TEST_THREADS)

.PHONY: prove
prove: ## Installs a virtual server with Debian's own installer, twice, to the end; half an hour without KVM
	@scripts/prove

.PHONY: demo-vm
demo-vm: ## Boots a virtual server beside the running demo, into a real installation (root or sudo)
	@scripts/demo-vm

.PHONY: check
check: export CARGO := $(CARGO)
check: ## Runs the quick checks of the crates that have changed: formatting, clippy, unit tests
	@scripts/setup check
	scripts/check

.PHONY: test-fast
test-fast: export PROPTEST_RNG_SEED ?= 1
test-fast: ## Runs all tests but those with virtual servers, with browsers and the API fuzzer
	@scripts/setup test
	scripts/with-postgres $(CARGO) nextest run --locked --workspace --test-threads $(TEST_THREADS) --profile fast

# To run some parts only: make bench PARTS='append bulk'. All of it takes about ten minutes, and the first build as long again.
.PHONY: bench
bench: ## Measures everything that has a target, each beside what this machine can do, and prints a table
	@scripts/setup bench
	$(CARGO) bench --locked --package bootledger --bench table -- $(PARTS)

.PHONY: lint
lint: ## Checks licences, sources, unused dependencies, circles of imports, the words that people read, and the shell scripts
	@scripts/setup lint
	scripts/imports
	scripts/links
	shellcheck -x .ci/run $$(grep -rlE '^#(!.*\b(ba)?sh\b| shellcheck shell=)' scripts)
	scripts/words --category strings --category help --category docs
	$(CARGO) machete
	$(CARGO) deny --locked check bans licenses sources

# Separate from lint, because it downloads the current list from GitHub.
.PHONY: audit
audit: ## Checks the dependencies for known vulnerabilities (RustSec) and yanked versions
	@scripts/setup lint
	$(CARGO) deny --locked check advisories
