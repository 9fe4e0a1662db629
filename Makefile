# The one door: everything that is done to Skiff is a target here. `make help` lists them.

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
BUILD_FLAGS = --explicit-target-dependency-import-check error
PROGRAMS = skiff skiffd skiff-shim skiff-runtime

.DEFAULT_GOAL := help
.PHONY: help setup build test vm-test check conformance demo bench fmt install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that building and testing need
	@scripts/setup

build: setup ## release programs in .build/release
	$(SWIFT) build -c release $(BUILD_FLAGS)

test: setup ## build for debugging and run every test (as root: the root and end-to-end tests too)
	$(SWIFT) build --build-tests $(BUILD_FLAGS)
	$(SWIFT) test --skip-build --disable-xctest --no-parallel $(TEST_FLAGS)

vm-test: ## run a part of the tests in a virtual machine with cgroup v2 and Debian's own kernel
	@scripts/setup vm
	$(SWIFT) build --build-tests $(BUILD_FLAGS)
	Tests/vm/run $(VM_TESTS)
	$(if $(VM_TESTS),,Tests/vm/run --systemd)

check: setup ## formatting, module directions, what the static programs are made of
	scripts/check

conformance: build ## run crun's and runc's own tests against our runtime (SUITES_DIR)
	scripts/conformance

demo: build ## build, ship and run a container with a private daemon, and clean up
	scripts/demo

bench: build ## time Skiff, beside other engines where they run
	scripts/bench

fmt: ## format every source file
	$(SWIFT) format -i -r --parallel Package.swift Sources Tests

install: build ## put programs, the systemd unit and the shell completion in place (PREFIX, DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)/etc/skiff $(DESTDIR)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/doc/skiff
	install -s -m 0755 $(addprefix .build/release/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin
	@# Read in one go instead of where it is touched, the runtime is mapped in larger pieces (docs/decisions/008).
	sync $(DESTDIR)$(PREFIX)/bin/skiff-runtime
	dd if=$(DESTDIR)$(PREFIX)/bin/skiff-runtime iflag=nocache count=0 status=none
	dd if=$(DESTDIR)$(PREFIX)/bin/skiff-runtime of=/dev/null bs=1M status=none
	sed 's|@PREFIX@|$(PREFIX)|g' packaging/skiffd.service > $(DESTDIR)/lib/systemd/system/skiffd.service
	.build/release/skiff completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/skiff
	cp -r README.md LICENSE docs $(DESTDIR)$(PREFIX)/share/doc/skiff

clean: ## remove what was built
	rm -rf .build
