# What there is to make. Everything builds with Go alone, but for the style and
# scripts of the pages, which npm brings; setup installs what that, the demo and
# the tests need besides and says why.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null | sed 's/^v//' | grep -E '^[0-9]+\.' || echo 0.1.0)
BIN     := bin/upkeep
ARCHES  := amd64 arm64
DEMO    ?= demo

# Time for each fuzz target: brief in test, long in fuzz.
# By number, not by time: a fuzzer whose time is up while it begins fails.
FUZZBRIEF ?= 3000x
FUZZLONG  ?= 10m
# How often soak repeats the tests that kill processes.
SOAK ?= 20

NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.PHONY: assets build release setup demo demo-clean test fuzz soak bench lint notices deb clean

assets: ## what the console's pages are made with, from npm; nothing where it is present
	$(GO) run ./tools/assets

build: assets ## the command, static, in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/upkeep

release: $(ARCHES:%=dist/upkeep-linux-%) ## the command for every platform that hosts may have, static, in dist/

dist/upkeep-linux-%: FORCE assets
	GOOS=linux GOARCH=$* CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/upkeep

FORCE:

setup: ## what the demo and the tests need; nothing where it is present
	CGO_ENABLED=0 $(GO) run -trimpath ./tools/setup
	$(GO) run ./tools/assets

demo: setup build ## a real WordPress brought up to date, then a broken update undone
	$(BIN) demo --dir $(DEMO)

demo-clean: build ## stops and deletes the demo
	$(BIN) demo --dir $(DEMO) --clean

# The tests come last, so that their closing lines do too; of them the longest
# begin first. They wait more than they work, so three go side by side. What
# -short leaves out of the kills, soak does.
test: setup ## everything
	@unformatted=$$(gofmt -l $$(find . -name '*.go' -not -path '*/.*')); test -z "$$unformatted" || { echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	$(GO) vet -tags bench ./...
	@$(call each_fuzz,$(FUZZBRIEF))
	$(GO) test -short -p 2 -parallel 3 -timeout 50m ./internal/upkeeptest ./internal/upkeeptest/faults ./internal/upkeeptest/hosts ./...

fuzz: ## every fuzz target, long
	@$(call each_fuzz,$(FUZZLONG))

soak: setup ## the tests that kill processes, again and again
	$(GO) test -p 1 -count $(SOAK) -timeout 24h -run 'EveryDriver|Kill|Cut|Fault|Crash|Fill|Survive|Interrupt|Property' ./...

bench: setup build ## our figures beside those of public tools, in one run
	$(GO) test -tags bench -p 1 -v -run 'TestBench|TestRatios' -timeout 60m \
		./internal/upkeeptest ./internal/upkeeptest/hosts ./internal/vault/archive ./internal/vault/link ./internal/agent/database

lint: ## vet and staticcheck
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

notices: assets ## THIRD_PARTY_NOTICES from the licences of what we link and embed
	$(GO) run ./tools/notices

deb: build release notices ## dist/upkeep_*.deb with unit and man pages
	rm -rf dist/man && mkdir -p dist/man/en dist/man/fr
	$(BIN) --lang en man dist/man/en
	$(BIN) --lang fr man dist/man/fr
	gzip -9nf dist/man/*/*
	VERSION=$(VERSION) $(GO) run $(NFPM) package --config packaging/nfpm.yaml --packager deb --target dist/

clean:
	rm -rf bin dist

# each_fuzz runs every fuzz target of the tree for the given time or number.
define each_fuzz
grep -rnE '^func Fuzz' --include='*_test.go' . | sed -E 's#/?[^/]*_test\.go:[0-9]+:func (Fuzz[A-Za-z0-9_]*).*# \1#' | sort | while read -r dir name; do \
	test -n "$$name" || { name=$$dir; dir=; }; \
	$(GO) test "./$$dir" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(1) -parallel 2 </dev/null || exit 1; done
endef
