# Abbreviations for the commands of CONTRIBUTING.md. Everything works without make.

GO ?= go
FUZZTIME ?= 20000x
export GO FUZZTIME

.PHONY: all build test race vet staticcheck fmt cross fuzz bench nettest example ci

all: build vet test

build:
	$(GO) build ./...

test:
	$(GO) test ./...

bench:
	$(GO) test -run '^$$' -bench . ./...
	cd benchmarks && $(GO) test -run '^$$' -bench . ./... && $(GO) run ./cmd/bench

# The rest are steps of CI, so that there is one place that says how.
race vet staticcheck fmt cross fuzz nettest example:
	.ci/run $@

ci:
	.ci/run
