# The commands of this project. `make` alone lists them. One build folder outside the checkout, so
# that a second clone does not compile RocksDB again; set CARGO_TARGET_DIR to have it elsewhere.
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
export CARGO_TARGET_DIR ?= $(cache)/tollgate-target
export PATH := $(PATH):/usr/local/go/bin:$(HOME)/.cargo/bin

.PHONY: help demo test lint protocol simulate fuzz kafka-test chaos mutants bench deny clean-cache

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo: ## traffic, engine and broker in one process: watch blocks appear and lift
	@.ci/prepare build
	cargo run --locked -- demo $(ARGS)

test: ## every test, real Kafka included (set KAFKA_BOOTSTRAP to use a broker of yours)
	@.ci/prepare test
	@.ci/test

lint: ## format and lints, as CI sees them
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

protocol: ## the journal's rules in the large: every course of events within wider bounds
	cargo test --locked --no-default-features --test protocol -- --include-ignored --nocapture

simulate: SEEDS ?= 10000
simulate: FROM ?= 1
simulate: ## seeded simulation with faults of every kind: make simulate SEEDS=100000 FROM=1
	@.ci/prepare build
	SEEDS=$(SEEDS) FROM=$(FROM) cargo test --locked --quiet --test simulate -- --nocapture seeds

kafka-test: ## only the suite on real Kafka, with its output
	@.ci/prepare test
	cargo test --locked --test kafka -- --nocapture

fuzz: ## one fuzz target for a while: make fuzz TARGET=json_line SECONDS=600 (needs cargo-fuzz)
	@command -v cargo-fuzz >/dev/null || \
	  { echo 'cargo-fuzz is missing; type   cargo install --locked cargo-fuzz'; exit 1; }
	fuzz/run $(or $(TARGET),json_line) $(or $(SECONDS),600)

chaos: ## a storm of kills, cuts and full disks on real Kafka; SECONDS=900 KILLS=300 or more
	@.ci/prepare test
	CI=true TOLLGATE_TEST_SECONDS=$(SECONDS) TOLLGATE_TEST_KILLS=$(KILLS) \
	  cargo test --locked --test kafka -- --ignored --nocapture --exact chaos

mutants: ## changes the fold and the journal in every way a tool knows: tests must notice (hours)
	@command -v cargo-mutants >/dev/null || \
	  { echo 'cargo-mutants is missing; type   cargo install --locked cargo-mutants'; exit 1; }
	SEEDS=100 cargo mutants --jobs 2 --output "$(CARGO_TARGET_DIR)/mutants" $(ARGS)

bench: ## Tollgate beside a bare drain and other engines, in one run on real Kafka (half an hour; ARGS=--short)
	@.ci/prepare bench
	cargo build --locked --release
	@# Aside, since the bench's own build puts one with the tests' fault points in its place.
	cp "$(CARGO_TARGET_DIR)/release/tollgate" "$(CARGO_TARGET_DIR)/release/tollgate-measured"
	BENCH_TOLLGATE="$(CARGO_TARGET_DIR)/release/tollgate-measured" \
	  cargo bench --locked --bench side_by_side -- $(ARGS)

deny: ## licences, duplicate and banned crates, sources (needs cargo-deny)
	@command -v cargo-deny >/dev/null || \
	  { echo 'cargo-deny is missing; type   cargo install --locked cargo-deny'; exit 1; }
	cargo deny --locked check licenses bans sources

clean-cache: ## remove the build folder, the fetched broker and the registry peers
	rm -rf "$(cache)/tollgate-target" "$(cache)/tollgate-kafka" "$(cache)/tollgate-registry"
