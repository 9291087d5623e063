SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO   ?= go
DATA ?= data

BUILD   := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# Nodes run a static agent; the server needs no C either.
export CGO_ENABLED = 0
# The version is stamped below: Go's own way fails where the clone is another user's.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

##@ Use it
.PHONY: demo run build help
demo: deps image ## the main job on this machine: a cluster, an account, LAMMPS on two nodes, its result
	scripts/demo.sh

run: deps image ## a dev server in the foreground; its data in ./data
	bin/ehpc dev --data $(DATA) --listen 127.0.0.1:8412

build: ## bin/ehpc and bin/ehpc-agent
	$(GO) build -ldflags "-X main.build=$(BUILD)" -o bin/ ./cmd/...

##@ Work on it
.PHONY: test check fuzz generate soak bench clean
test: test-deps image ## every test, the end-to-end ones and the foreign clients' included
	$(GO) test -count=1 -p 2 -timeout 20m ./...
	scripts/test-compat.sh

check: ## format, vet, linters, known vulnerabilities, layers, generated files
	scripts/check.sh

fuzz: ## every fuzz test for 20 s
	scripts/fuzz.sh

generate: ## write again what is generated from the catalogue and from code
	$(GO) generate ./...

soak: deps image ## kill everything in turn, 50 times, while jobs run (EHPC_SOAK_ROUNDS, EHPC_SEED)
	EHPC_SOAK_ROUNDS=$${EHPC_SOAK_ROUNDS:-50} $(GO) test -v -count=1 -timeout 24h -run '^TestEveryJobRunsOnceWhateverIsKilled$$' ./test/e2e

bench: test-deps image ## the benchmarks; those of a whole service go to docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchmem ./api/... ./client/... ./internal/...
	$(GO) test -run '^$$' -bench 'Request|ListRegions' -benchmem ./test/bench
	EHPC_BENCH_TABLE=$(CURDIR)/docs/benchmarks.md $(GO) test -run '^$$' -bench Service -benchtime 1x -timeout 20m -v ./test/bench

clean: ## remove what was built (never ./data)
	rm -rf bin

##@ What those need
.PHONY: deps test-deps image
deps: ## the host's Debian packages
	scripts/install-deps.sh

test-deps: ## those, PostgreSQL for the store's tests, and ssh for the gateway's
	scripts/install-deps.sh postgresql openssh-client

image: build ## the node image, made once
	bin/ehpc image build

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
