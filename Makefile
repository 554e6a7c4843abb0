# Programs of "go run" and "go test" lie elsewhere than the backend that they use.
export PIPA_TORCH ?= $(CURDIR)/build/libpipatorch.so

.PHONY: help setup build torch demo clean test lint check test-all processors fuzz torture interop interop-weights soak bench bench-uda vulncheck dist release-check

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Build

setup: ## install what is missing (Debian and Ubuntu), or say what to install
	@scripts/setup

build: setup ## bin/pipa, a static binary
	CGO_ENABLED=0 go build -trimpath -buildvcs=auto -o bin/pipa ./cmd/pipa

torch: setup ## build/libpipatorch.so, the libtorch backend
	@scripts/build-adapter

demo: build torch ## the whole line on small procedural data, in less than 10 minutes
	@scripts/demo

clean: ## remove what was built
	rm -rf bin build demo dist

##@ Test

test: torch ## formatting, vet, and the tests of all that is claimed: what must pass
	@scripts/setup test
	@scripts/test

lint: setup ## golangci-lint over all modules, by .golangci.yml
	@scripts/lint

check: torch ## race detector on the data packages, adapter under sanitizers, portable kernels, some torture, Beam
	@scripts/setup test
	@scripts/check

test-all: torch ## all tests under the race detector, the long ones too; about half an hour
	@scripts/setup test
	CGO_ENABLED=1 go test -race -timeout 2h ./train ./cmd/pipa ./...

processors: torch ## golden and rank tests with the kernels of other processors, a table; about a quarter of an hour
	@scripts/test-processors

fuzz: torch ## every parser of foreign bytes, 2 minutes each; about an hour
	@scripts/fuzz

torture: torch ## failing disks, power cuts, kills, lost inputs, closed pipes: all of docs/reliability.md, about 20 minutes
	@scripts/setup test
	@bash -o pipefail -c "go test ./cmd/pipa/torture -count 1 -timeout 1h -full -v | grep -v '^ *=== \|^ *--- PASS'"

interop: setup ## streams and files by pyarrow, polars, DuckDB, pandas and datasets as pipa reads them: docs/interop.md, two minutes; installs 1 GB from PyPI once
	@scripts/interop

interop-weights: setup ## weights by PyTorch, transformers, timm, … as pipa reads them; installs 6 GB from PyPI once
	@scripts/interop-weights

##@ Measure

bench: build torch ## the data path and tensor operations, side by side with OpenCV and PyTorch in Python
	@scripts/bench-python || true
	go run ./bench/loader
	@for size in "-size 128" "-size 256 -rounds 6 -threads 2"; do go run ./bench/mitb5 $$size; done

bench-uda: build torch ## the ablation on the fixtures: every recipe, three seeds; about an hour on 2 cores
	@scripts/bench-uda

soak: build torch ## read | classmix | crops | write for half an hour, then 5000 training steps, with flat memory
	go run ./bench/soak -for 30m -steps 5000

##@ Release

vulncheck: setup ## known vulnerabilities in what is linked, by Go's database
	@scripts/vulncheck

dist: setup ## release archives for three systems, with checksums and SBOMs
	@scripts/dist

release-check: ## every target that may fail, and a table of them at the end; hours
	@scripts/release-check
