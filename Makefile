# An index: each target is one line or two, and whatever needs thought is in crates/xtask.
.DEFAULT_GOAL := help
.PHONY: help demo up down test check-manifests test-infrastructure previous-release verify-containers lint bench-deploy bench-db bench-api setup

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Tell the whole story under load: releases, a bad one, a rollback; RUNTIME=container deploys CI's image
	@cargo xtask demo $(if $(RUNTIME),--runtime $(RUNTIME))

up: ## Start an environment with release 1.0.0 at http://127.0.0.1:8080 and leave it running
	@cargo xtask up

down: ## End what `make up` started
	@cargo xtask down

test: setup check-manifests test-infrastructure previous-release ## Run all tests
	cargo test --workspace --locked

check-manifests: ## Hold pipeline, Dockerfiles, Compose, Kubernetes, monitoring and runbooks against what will read them
	@cargo xtask check-manifests

test-infrastructure: ## Prove what can be proven of the Terraform code without an account
	@cargo xtask test-infrastructure

previous-release: ## Build the release before this one from the history, for the tests
	@cargo xtask previous-release $(if $(REVISION),--revision $(REVISION))

verify-containers: ## Build the images, run them and probe them; INSTALL=yes installs an engine where none is
	@cargo xtask verify-containers $(if $(INSTALL),--install)

lint: ## Check formatting, clippy, the dependencies and the environments
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo xtask deny
	cargo run --quiet --locked --package tt-ops -- env check

bench-deploy: ## Measure deploys, and compare them with the script that teams write
	@cargo xtask bench-deploy

bench-db: ## Measure changes of the schema, exports and restores, and compare with what people type
	@cargo xtask bench-db

bench-api: ## Measure what the service costs, next to the same endpoints on Fastify and FastAPI
	@cargo xtask bench-api

setup: ## Find what demo and tests need, and install what is missing with apt-get
	@cargo xtask setup
