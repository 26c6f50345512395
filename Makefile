# Everything a contributor runs. What the tests need besides Rust is installed into .tools/ and tests/tools/.

WITH_TOOLS := scripts/with-tools.sh scripts/with-scim.sh scripts/with-moto.sh

.PHONY: help build test test-sqlite test-postgres test-browser bench lint openapi figures clean-tools
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the release binary, target/release/invited
	cargo build --release

test: ## all tests on SQLite, then those that use a database on PostgreSQL
	@$(WITH_TOOLS) scripts/test.sh sqlite postgres

test-sqlite: ## all tests on SQLite
	@$(WITH_TOOLS) scripts/test.sh sqlite

test-postgres: ## the tests that use a database, on a throw-away PostgreSQL or the one in TEST_DATABASE_URL
	@$(WITH_TOOLS) scripts/test.sh postgres

test-browser: ## the sandbox, clicked through in a browser
	@$(WITH_TOOLS) cargo test --features failpoints --test sandbox -- --nocapture

bench: ## lists at size (N=100000 invitations unless given) and large jobs on both databases; docs/benchmarks.md has results
	env -u TEST_DATABASE_URL cargo bench --bench lists -- $(or $(N),100000)
	scripts/with-postgres.sh cargo bench --bench lists -- $(or $(N),100000)
	env -u TEST_DATABASE_URL cargo bench --bench bulk
	scripts/with-postgres.sh cargo bench --bench bulk

lint: ## format, clippy, documentation, and what no compiler checks
	cargo fmt --check
	cargo clippy --all-targets --features failpoints -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --no-deps --document-private-items
	scripts/check-tree.sh

openapi: ## write openapi/openapi.json from the code
	cargo run --quiet -- openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

figures: ## lines per file and per function
	@scripts/code-figures.py

clean-tools: ## remove what the tests installed
	rm -rf .tools tests/tools/node_modules
