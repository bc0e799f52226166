# DMicro. "make" checks everything a change must pass, "make help" lists the rest.
# Only Go, make and a POSIX shell are needed; "race" and "soak" need a C compiler, too.

SHELL     := /bin/sh
GO        ?= go
GOFMT     ?= gofmt
FUZZTIME  ?= 30s
BENCH     ?= .
COUNT     ?= 6
PLATFORMS ?= linux darwin windows
LIBRARIES := $(GO) list -f '{{if and .GoFiles (ne .Name "main")}}{{.ImportPath}}{{end}}' ./...
TOOL      := $(GO) tool -modfile=tools/go.mod

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := check

.PHONY: check help demo test lint fmt vet staticcheck layers race soak fuzz bench cover build cross clean bench-peers bench-features bench-transports bench-scale browser site

check: lint layers test ## format, vet, lint, layering and tests (what bare "make" does)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

demo: ## start the example server, call it, inspect it, stop it; reload another one under load
	@sh examples/quickstart/demo.sh

test: build ## all tests; needs nothing but Go
	@echo "== tests"
	@$(GO) test ./...

lint: fmt vet staticcheck ## format check, go vet and staticcheck

fmt: ## fail if a Go file is not formatted
	@echo "== gofmt"
	@files=$$(find . -name '.?*' -prune -o -type f -name '*.go' -exec $(GOFMT) -l {} +) || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:"; echo "$$files"; exit 1; fi

vet: ## go vet
	@echo "== go vet"
	@$(GO) vet ./...

staticcheck: ## staticcheck, in the version that tools/go.mod pins
	@echo "== staticcheck"
	@$(TOOL) staticcheck ./...

layers: ## imports follow the layer table and the picture of it is fresh
	@echo "== layers"
	@$(GO) test ./internal/archtest

soak: ## the tests that take long, in their full length, under the race detector
	@echo "== long tests"
	@DMICRO_SOAK=1 $(GO) test -race -timeout 60m ./...
	@cd integration && DMICRO_SOAK=1 $(GO) test -race -timeout 60m ./...

race: ## all tests under the race detector
	@echo "== tests with the race detector"
	@CGO_ENABLED=1 $(GO) test -race ./...

fuzz: ## every fuzz target in turn, FUZZTIME=30s each
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' sh tools/fuzz.sh

bench: ## benchmarks of the packages into .cache/bench.txt, which benchstat reads; BENCH=pattern COUNT=6
	@mkdir -p .cache
	@packages=$$(grep -rlE --include='*_test.go' --exclude-dir=bench --exclude-dir=.cache '^func Benchmark' . | \
		xargs -n 1 dirname | sort -u) && \
	{ $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count '$(COUNT)' $$packages; echo $$? >.cache/bench.status; } | \
		tee .cache/bench.txt && exit "$$(cat .cache/bench.status)"

bench-peers: ## DMicro beside other frameworks, into docs/benchmarks; ARGS="-rounds 3"
	@cd bench && $(GO) run ./cmd/peers -out ../docs/benchmarks $(ARGS)

bench-features: ## what each feature costs, into docs/benchmarks; ARGS="-rounds 3"
	@cd bench && $(GO) run ./cmd/peers -features -out ../docs/benchmarks $(ARGS)

bench-transports: ## transports beside TCP, into docs/benchmarks; ARGS="-rounds 3"
	@cd bench && $(GO) run ./cmd/peers -transports -out ../docs/benchmarks $(ARGS)

bench-scale: ## very many sessions on one server, into docs/benchmarks; ARGS="-idle 20000"
	@cd bench && $(GO) run ./cmd/scale -out ../docs/benchmarks $(ARGS)

cover: ## statement coverage of each package and in total; fails where it is too low
	@GO='$(GO)' sh tools/cover.sh

build: ## compile every package, without linking programs; the first time downloads the libraries and says so
	@echo "== build (the first one downloads and compiles the libraries)"
	@$(GO) build -v $$($(LIBRARIES))

cross: ## compile packages and tests for PLATFORMS="linux darwin windows"
	@for os in $(PLATFORMS); do \
		echo "== build and vet for $$os" && \
		GOOS=$$os CGO_ENABLED=0 $(GO) build $$(GOOS=$$os $(LIBRARIES)) && \
		GOOS=$$os CGO_ENABLED=0 $(GO) vet ./... || exit 1; \
	done

browser: ## the page of examples/websocket in a headless Chromium, which is fetched if there is none
	@GO='$(GO)' sh examples/websocket/browser.sh

site: ## the documentation as a web site, in .cache/site
	@echo "== site (the first time compiles the generator, which takes some minutes)"
	@rm -rf .cache/diagrams && $(GO) run ./internal/diagram/render docs .cache/diagrams
	@$(GO) tool -modfile=tools/site/go.mod hugo --source tools/site --destination "$(CURDIR)/.cache/site" --cleanDestinationDir --logLevel warn
	@echo "open .cache/site/index.html"

clean: ## remove what the other targets left behind
	rm -rf bin .cache
