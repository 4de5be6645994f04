# Nestbox. "make run" opens the window, "make test" tests everything; both first install what is missing.
SHELL := /bin/bash
export PATH := $(CURDIR)/.tools/node/bin:$(HOME)/.cargo/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run setup build ui test lint bench crashlab guests deny docs

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What people run and what is measured is optimised (docs/decisions/0005-build-profiles.md). PROFILE=dev builds sooner.
PROFILE ?= desktop
OUT = target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

run: build ## builds what changed and opens the window
	@exec $(OUT)/nestbox-app

build: setup ui ## the window and the nestbox command, into target/desktop
	cargo build --locked --profile $(PROFILE) -p nestbox-cli -p nestbox-app

setup: ## installs what this computer lacks (scripts/needs.txt); quick when nothing is missing
	@scripts/setup.sh build window run

ui: setup
	@scripts/ui.sh build

test: ## everything: lints, unit tests, real guests, the pages in Chromium, the real window
	@scripts/test.sh

lint: ## formatting, clippy, architecture, types and style of the pages
	@scripts/test.sh lint

guests: ## builds the small guests that the tests boot (target/guests)
	@scripts/setup.sh build run test
	@tests/guests/build.sh

bench: build ## measures Nestbox against its peers on this computer
	@scripts/setup.sh test
	@tests/guests/build.sh
	cargo build --locked --profile $(PROFILE) -p nestbox-cli -p nestbox-app -p nestbox-guests -p nestbox-display --bins --examples
	@NESTBOX_TEST_PROFILE=$(notdir $(OUT)) node tests/bench/bench.mjs $(SECTIONS)

crashlab: build ## kills the service and QEMU at random moments and looks at what is left (N=300 SEED=1)
	@scripts/setup.sh test
	@tests/guests/build.sh
	cargo run --locked -q -p nestbox-crashlab -- --kills $(or $(N),300) $(if $(SEED),--seed $(SEED)) --report target/crashlab.json
	cargo run --locked -q -p nestbox-crashlab -- --offline --kills $(or $(N),300) $(if $(SEED),--seed $(SEED)) --report target/crashlab-offline.json

docs: setup ## writes docs/openapi.json, the pages' types and docs/errors.md from the code
	@scripts/ui.sh deps
	cargo run --locked -q -p xtask -- openapi
	npm run --silent gen:api --workspace ui
	cargo run --locked -q -p xtask -- errors

deny: ## licences, bans and sources of every crate, and what is known to be vulnerable
	@scripts/setup.sh build test
	cargo deny --locked check licenses bans sources
	@scripts/advisories.sh || [ $$? = 3 ]
