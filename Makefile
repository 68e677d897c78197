# What a contributor runs. `make help` lists the targets; CONTRIBUTING.md says when.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

# Tests that drive us with the SDK's EC2 client live in e2e: compiling that client
# takes minutes and some 3 GB, more under the race detector. LIGHT_PKGS is the rest.
PKGS       ?= ./...
LIGHT_PKGS ?= $(shell $(GO) list ./... | grep -v /e2e)
RACE_PKGS  ?= $(LIGHT_PKGS)

TEST_TIMEOUT ?= 10m
RACE_TIMEOUT ?= 15m

# Those of e2e that call long, and their time on a machine that is busy besides.
STORIES         ?= Walks|Terraform
STORIES_TIMEOUT ?= 15m

BENCH        ?= .
BENCHTIME    ?= 1s
FUZZTIME     ?= 20s
SOAK         ?= 1800

GOLANGCI_VERSION    := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
GOLANGCI            := bin/tools/golangci-lint-$(GOLANGCI_VERSION)
GOVULNCHECK         := bin/tools/govulncheck-$(GOVULNCHECK_VERSION)
GOVULNDB            ?= https://vuln.go.dev

.PHONY: run
run: build ## build, then show a load balancer at work: bin/fairlead demo
	bin/fairlead demo

.PHONY: build
build: ## bin/fairlead, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o bin/fairlead ./cmd/fairlead

.PHONY: test
test: tools ## every test but the long stories, a few minutes on two cores
	$(GO) test -timeout $(TEST_TIMEOUT) $(PKGS) || \
		{ echo 'test: failed. One package again: go test ./internal/NAME; one test, with its skips: go test -v -run NAME ./internal/NAME'; exit 1; }

.PHONY: stories
stories: tools ## the long stories: the walks of examples/ipam with the AWS CLI, and the Terraform example
	FAIRLEAD_LONG=1 $(GO) test -count=1 -timeout $(STORIES_TIMEOUT) -run '$(STORIES)' ./e2e

.PHONY: tools
tools: # programs that tests run; who lacks them sees which tests skip
	@.ci/tools dig:dnsutils curl:curl

.PHONY: check
check: fmt vet lint generated vuln race ## everything that must pass before a commit is reviewed

.PHONY: fmt
fmt: ## sources are as gofmt writes them
	@out=$$(gofmt -l cmd internal $(wildcard e2e bench)); [ -z "$$out" ] || \
		{ printf 'fmt: not formatted; run gofmt -w on:\n%s\n' "$$out"; exit 1; }

.PHONY: vet
vet: ## go vet
	$(GO) vet $(PKGS)

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint, as .golangci.yml says
	$(GOLANGCI) run $(patsubst github.com/fairlead/fairlead/%,./%,$(LIGHT_PKGS)) || \
		{ echo 'lint: correct the finding, or say on its line why it stands: //nolint:NAME // reason'; exit 1; }

.PHONY: generate
generate: ## write the generated sources (zz_*.go) anew
	$(GO) mod download
	$(GO) generate ./internal/...

.PHONY: generated
generated: ## generated sources are what their generators write
	@sum() { find internal -name 'zz_*' -type f -exec sha256sum {} + | sort; }; \
	before=$$(sum); $(MAKE) --no-print-directory generate; after=$$(sum); \
	[ "$$before" = "$$after" ] || { \
		echo 'generated: these were out of date; they are right now, commit them with the change that caused it:'; \
		comm -3 <(echo "$$before") <(echo "$$after") | awk '{print "  " $$2}' | sort -u; exit 1; }

.PHONY: vuln
vuln: ## known vulnerabilities in what the binary links, where the database can be reached
	@case '$(GOVULNDB)' in http*) curl -fsS -m 10 -o /dev/null '$(GOVULNDB)/index/db.json' 2>/dev/null;; esac || \
		{ echo 'vuln: skipped: no vulnerability data ($(GOVULNDB) cannot be reached)'; exit 0; }; \
	$(MAKE) --no-print-directory $(GOVULNCHECK); \
	$(GOVULNCHECK) -db '$(GOVULNDB)' ./cmd/... || \
		{ echo 'vuln: raise the module that is named, go get MODULE@VERSION, and run make test'; exit 1; }

.PHONY: race
race: ## tests under the race detector, which needs a C compiler
	@cc=$$($(GO) env CC); command -v "$${cc%% *}" >/dev/null || { \
		echo "race: no C compiler ($$cc); on Debian: apt-get install gcc libc6-dev"; \
		[ -z "$${CI:-}" ] && echo 'race: skipped' && exit 0; exit 1; }; \
	CGO_ENABLED=1 $(GO) test -race -timeout $(RACE_TIMEOUT) $(RACE_PKGS) || \
		{ echo 'race: failed. One package again: go test -race ./internal/NAME'; exit 1; }

.PHONY: bench
bench: ## benchmarks; BENCH=Draw BENCHTIME=5s for some of them
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -timeout 30m $(LIGHT_PKGS)

# A directory for the large installations that scale makes, to make them once.
FAIRLEAD_BENCH_DATA ?=

.PHONY: scale
scale: ## a million allocations, 100,000 pools, and PostgreSQL beside us; minutes, and 10 GB of disk
	FAIRLEAD_BENCH_DATA='$(FAIRLEAD_BENCH_DATA)' $(GO) test -run '^$$' -bench RestartWithAMillion -benchtime 3x -timeout 30m ./bench
	FAIRLEAD_BENCH_DATA='$(FAIRLEAD_BENCH_DATA)' $(GO) test -run '^$$' -bench 'Pages|NextAllocation' -benchtime 500x -timeout 30m ./bench
	FAIRLEAD_BENCH_DATA='$(FAIRLEAD_BENCH_DATA)' $(GO) test -run '^$$' -bench AgainstPostgres -benchtime 5x -timeout 30m ./bench
	FAIRLEAD_BENCH_DATA='$(FAIRLEAD_BENCH_DATA)' $(GO) test -run '^$$' -bench Layers -benchtime 1x -timeout 30m ./bench

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (20s)
	@grep -rlE --include='*_test.go' '^func Fuzz' internal | while read -r file; do \
		dir=$$(dirname "$$file"); \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			echo "fuzz: ./$$dir $$target for $(FUZZTIME)"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$dir" </dev/null || { \
				echo "fuzz: the input is below $$dir/testdata/fuzz/$$target; make it a named case of a table test"; exit 1; }; \
		done; \
	done

.PHONY: soak
soak: ## odd requests, clients that come and go, then tests under the race detector again and again for SOAK seconds (1800)
	FAIRLEAD_ODD_REQUESTS=50000 FAIRLEAD_SOAK=10m $(GO) test -count=1 -v -timeout 60m ./internal/proxy/conformance
	FAIRLEAD_SOAK=2m $(GO) test -count=1 -v -timeout 10m -run AllProtocolsTogether ./e2e
	@end=$$((SECONDS + $(SOAK))); round=0; \
	while ((SECONDS < end)); do \
		round=$$((round + 1)); echo "soak: round $$round"; \
		CGO_ENABLED=1 $(GO) test -race -count=1 -shuffle=on -timeout $(RACE_TIMEOUT) $(RACE_PKGS) || { \
			echo "soak: failed in round $$round; the seed is above: go test -race -shuffle=SEED ./internal/NAME"; exit 1; }; \
	done; \
	echo "soak: $$round rounds passed"

.PHONY: clean
clean: ## remove bin
	rm -rf bin

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

# Tools are built once per version, outside of our module's graph.
$(GOLANGCI):
	@$(MAKE) --no-print-directory install-tool TOOL=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) AS=$@

$(GOVULNCHECK):
	@$(MAKE) --no-print-directory install-tool TOOL=golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) AS=$@

.PHONY: install-tool
install-tool:
	@mkdir -p bin/tools/new; echo '$(notdir $(AS)): building it, once'; \
	GOBIN='$(CURDIR)/bin/tools/new' $(GO) install '$(TOOL)' || { \
		echo '$(notdir $(AS)): cannot be built; it comes from the Go module proxy (go env GOPROXY)'; exit 1; }; \
	mv bin/tools/new/* '$(AS)'; rmdir bin/tools/new
