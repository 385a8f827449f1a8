# Every target checks or edits, never both. `make help` lists them.
# .ci/run calls the same targets, so what passes here passes there.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo dev)
EPOCH    ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
FUZZTIME ?= 20s
OLD      ?= 95f9602
TOOL     := $(GO) tool -modfile=tools/go.mod

# One way to build the program; the Dockerfile uses the same words and a test
# compares them.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags='-s -w -X main.version=$(VERSION)'

PLATFORMS := linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 # the program itself is linux/amd64

IMAGE := linux/amd64 linux/arm64 # of `make release`

# Modules of their own, so that the modules which they need stay out of noecho's.
NESTED := bench/sdk bench/library bench/tlog bench/record tools/deploy tools/release
nested = for m in $(NESTED); do (cd $$m && $(1)) || exit 1; done

# The packages whose product code starts goroutines.
CONCURRENT = $(sort $(dir $(shell grep -rlE '^[[:space:]]*go [a-z]|\.Go.func' --include='*.go' --exclude='*_test.go' --exclude-dir=sdk .)))

# A call of text/template anywhere makes the linker keep every method of every
# type and doubles the program. The ceiling stands between the two.
SIZE_MAX := 23330000

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##
## Edit
##

.PHONY: fmt
fmt: ## Format the Go files.
	$(TOOL) golangci-lint fmt ./...

.PHONY: tidy
tidy: ## Tidy every go.mod.
	$(GO) mod tidy
	$(call nested,$(GO) mod tidy)

.PHONY: docs
docs: ## Rewrite docs/commands.md from the help texts, the picture from the imports, the schema from the keys.
	$(GO) test -count=1 -run 'TestSchema$$' ./proxy/config -update
	$(GO) test -count=1 -run 'TestDocsCommands|TestPicture$$' . -update

.PHONY: net-update
net-update: ## Record testdata/net.txt anew; say in the commit why a digest changed.
	$(GO) test -count=1 -run 'TestNet$$' . -update
	$(GO) test -count=1 -run 'TestAPIs$$' ./proxy/relay -update-net

.PHONY: eval-docs
eval-docs: build ## Rewrite the table of disguises in docs/disguises.md and its plot.
	tools/eval.sh write

.PHONY: golden
golden: ## Rewrite the txtar goldens; the index goldens are typed by hand and stay.
	$(GO) test ./ngram/... ./proxy/wire/... -run Golden -update

##
## Check
##

.PHONY: build
build: ## Build bin/noecho, static.
	$(BUILD) -o bin/noecho ./cmd/noecho

.PHONY: test
test: ## Run the tests and list those that are skipped here; in CI there may be none.
	$(GO) test -json ./... | tools/testlog.py

.PHONY: slow
slow: ## Run the tests with every cut, kill and size; takes long.
	$(GO) test -tags slow -count=1 -timeout 60m ./...
	cd tools/deploy && $(GO) test -tags slow -count=1 -run Collector ./...

.PHONY: race
race: ## Run the tests under the race detector, twice in packages that start goroutines.
	$(GO) test -race -short -timeout 20m ./...
	$(GO) test -race -short -count=1 -shuffle=on -timeout 20m $(CONCURRENT)

.PHONY: vet
vet: ## Run go vet on every module.
	$(GO) vet ./...
	$(GO) vet -tags slow ./...
	$(call nested,$(GO) vet ./...)

.PHONY: lint
lint: ## Run the linters of .golangci.yml.
	$(TOOL) golangci-lint run --allow-parallel-runners ./...
	$(call nested,$(GO) tool -modfile=../../tools/go.mod golangci-lint run --allow-parallel-runners --config ../../.golangci.yml ./...)

.PHONY: fmt-check
fmt-check: ## Fail if a Go file is not formatted.
	$(TOOL) golangci-lint fmt --diff ./...

.PHONY: arch
arch: ## Check imports, sizes and habits of the house.
	$(GO) test -count=1 -run 'TestArchitecture' .

.PHONY: net
net: ## Compare indexes, findings, evaluations and answers with recorded digests.
	$(GO) test -count=1 -run 'TestNet$$|TestCompat' .
	$(GO) test -count=1 -run 'TestAPIs$$' ./proxy/relay

.PHONY: docs-check
docs-check: ## Check links, commands and flags named in the documents.
	$(GO) test -count=1 -run 'TestDocs|TestPicture|TestImage' .

.PHONY: mod-check
mod-check: ## Fail if a go.mod is not tidy or a module was altered.
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(call nested,$(GO) mod tidy -diff && { grep -q ^replace go.mod || $(GO) mod verify; }) # a replaced module cannot be verified

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (20s).
	tools/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: build ## Run every benchmark once, so that none rots.
	$(GO) test -short -run '^$$' -bench . -benchtime 1x ./...
	$(GO) run ./bench/latency -requests 3 -words 50 -corpus 1
	bench/record.sh once

.PHONY: cross
cross: ## Compile and vet for every platform; without the optimiser, which takes half of the time.
	for p in $(PLATFORMS); do \
		echo $$p; export CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/}; \
		$(GO) build -gcflags='all=-N -l' -o /dev/null ./cmd/noecho && $(GO) vet -gcflags='all=-N -l' ./... || exit 1; \
	done

.PHONY: size
size: build ## Fail if the program grew past SIZE_MAX.
	@n=$$(wc -c <bin/noecho); echo "bin/noecho: $$n bytes, at most $(SIZE_MAX)"; test $$n -le $(SIZE_MAX)

.PHONY: static
static: build ## Fail if the program does not come out the same from a second, empty build.
	tools/static.sh '$(subst ','\'',$(BUILD))'

.PHONY: smoke
smoke: build ## Start what the image holds in an empty root, behind it a model that leaks.
	tools/smoke.sh

.PHONY: demo
demo: ## Run the demo.
	$(GO) run ./cmd/noecho demo

.PHONY: eval
eval: build ## Fail if a disguise gets through that should not, or the table in docs/ is another.
	tools/eval.sh check

.PHONY: sdk
sdk: clients ## Drive noecho with real clients, see docs/clients.md.
	cd bench/sdk && $(GO) test -count=1 -timeout 30m ./...

.PHONY: console
console: tools/console/node_modules/.package-lock.json ## Drive the pages of the console in Chromium.
	cd tools/console && node --test --test-reporter=spec console.test.mjs

.PHONY: library
library: ## Use the packages of docs/library.md from a module outside of noecho.
	cd bench/library && $(GO) test -count=1 ./...

.PHONY: tlog
tlog: ## Let programs of other people check the audit log.
	cd bench/tlog && $(GO) test -count=1 ./...

.PHONY: deploy
deploy: ## Read what configs/ ships with the tools that it is for, and pack an image.
	cd tools/deploy && $(GO) test -count=1 ./...
	cd tools/release && $(GO) test -count=1 ./...

.PHONY: clients
clients: bench/sdk/js/node_modules/.package-lock.json tools/console/node_modules/.package-lock.json bench/sdk/py/venv/installed bench/sdk/py/litellm/venv/installed # The clients of `make sdk` and `make console`.

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-progress
	touch $@

# The requirements are complete, so pip need not resolve anything; older versions
# of pip fail at it when a requirement has extras. LiteLLM needs other versions than
# the clients.
%/venv/installed: %/requirements.txt
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	$(@D)/bin/pip check
	touch $@

# The stages of CI, in the order of .ci/budget.
.PHONY: check
check: $(shell grep -o '^[a-z-]*' .ci/budget) ## Run everything that CI runs.

##
## Measure and ship
##

.PHONY: bench-record
bench-record: build clients ## Measure all rows of bench/RESULTS.md, and those of commit OLD, in turn.
	OLD=$(OLD) bench/record.sh all

.PHONY: bench-gate
bench-gate: ## Fail if this tree is slower than commit OLD by processor time.
	tools/bench-compare.py $(OLD) .

.PHONY: latency
latency: build ## Measure what noecho adds to an answer over loopback.
	$(GO) run ./bench/latency

.PHONY: console-picture
console-picture: tools/console/node_modules/.package-lock.json ## Make docs/console.png, the picture of the README, anew.
	cd tools/console && node picture.mjs

.PHONY: console-large
console-large: tools/console/node_modules/.package-lock.json ## Measure the pages of the console over 500,000 findings.
	cd tools/console && node large.mjs

.PHONY: man
man: ## Write the manual pages of all commands to dist/man.
	mkdir -p dist/man
	SOURCE_DATE_EPOCH=$(EPOCH) $(GO) test -count=1 -run 'TestMan$$' ./cmd/noecho -args -man $(CURDIR)/dist/man

# The image is the last stage of the Dockerfile, made without a Docker engine.
.PHONY: release
release: ## Pack programs, image, bills of materials, manual pages and provenance in dist/.
	rm -rf dist
	$(MAKE) man
	for p in $(IMAGE); do \
		f=dist/noecho-$${p%/*}-$${p#*/}; \
		(export GOOS=$${p%/*} GOARCH=$${p#*/}; $(BUILD) -o $$f ./cmd/noecho) && \
		$(GO) tool -modfile=tools/release/go.mod cyclonedx-gomod bin -json -noserial -notimestamp -std -licenses \
			-version $(VERSION) -output $$f.cdx.json $$f || exit 1; \
	done
	cd tools/release && $(GO) run . -root ../.. -dist ../../dist -version $(VERSION) -commit $$(git rev-parse HEAD) -epoch $(EPOCH) $(IMAGE)

.PHONY: docker
docker: ## Build the image; needs a Docker engine.
	docker build --build-arg VERSION=$(VERSION) -t noecho:$(VERSION) .

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin dist
