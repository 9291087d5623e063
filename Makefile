SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

ifeq ($(origin GO),undefined)
GO := $(or $(shell scripts/find-go.sh 2>/dev/null),go)
endif
DATA   ?= data
LISTEN ?= 127.0.0.1:8412
SSH    ?=

BUILD   := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# Nodes run a static agent; the server needs no C either.
export CGO_ENABLED = 0
# The version is stamped below: Go's own way fails where the clone is another user's.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

# Scripts and tests use the same Go, also where PATH has none, as under sudo.
ifneq ($(findstring /,$(GO)),)
export PATH := $(patsubst %/,%,$(dir $(GO))):$(PATH)
endif

##@ Use it
.PHONY: demo run build help
demo: go deps image ## the main job on this machine: a cluster, an account, LAMMPS on two nodes, its result
	scripts/demo.sh

run: go deps image ## a dev server in the foreground (DATA=data LISTEN=127.0.0.1:8412 SSH=127.0.0.1:8422)
	bin/ehpc dev --data $(DATA) --listen $(LISTEN) $(if $(SSH),--ssh $(SSH))

build: go ## bin/ehpc and bin/ehpc-agent
	@[ -x bin/ehpc ] || echo "building bin/ehpc and bin/ehpc-agent with $(GO): the first time takes a minute or two"
	GO=$(GO) scripts/build.sh -ldflags "-X main.build=$(BUILD)"

##@ Work on it
.PHONY: test check fuzz generate soak bench clean
test: go test-deps image ## every test, the end-to-end ones and the foreign clients' included
	$(GO) test -count=1 -p 2 -timeout 60m ./...
	scripts/test-compat.sh

check: go ## format, vet, linters, known vulnerabilities, layers, generated files
	scripts/check.sh

fuzz: go ## every fuzz test for 20 s
	scripts/fuzz.sh

generate: go ## write again what is generated from the catalogue and from code
	$(GO) generate ./...

soak: go deps image ## kill everything in turn, 50 times idle and 50 busy, while jobs run (EHPC_SOAK_ROUNDS, EHPC_SEED)
	EHPC_SOAK_ROUNDS=$${EHPC_SOAK_ROUNDS:-50} $(GO) test -v -count=1 -timeout 24h -run '^TestEveryJobRunsOnce' ./test/e2e

bench: go test-deps image ## the benchmarks; those of a whole service go to docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchmem ./api/... ./client/... ./internal/...
	$(GO) test -run '^$$' -bench 'Request|ListRegions' -benchmem ./test/bench
	EHPC_BENCH_TABLE=$(CURDIR)/docs/benchmarks.md $(GO) test -run '^$$' -bench Service -benchtime 1x -timeout 20m -v ./test/bench

clean: ## remove what was built (never ./data)
	rm -rf bin

##@ What those need
.PHONY: go deps test-deps image
go: ## a Go that is new enough (GO=/path/to/bin/go)
	@scripts/find-go.sh $(if $(findstring /,$(GO)),"$(GO)") >/dev/null

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
