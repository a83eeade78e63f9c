# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The front door. Everything is built by meson into build/.
#
#   make demo      set up, build, and show the main job
#   make build     set up, build
#   make check     all tests; ends with "N passed, N failed, N skipped"
#   make lint      format, static analysis, layering, shell scripts, manual pages
#   make bench     what a start costs, beside bubblewrap and the kernel's floor
#   make install   PREFIX=/usr/local DESTDIR=
#
# FUZZ_SECONDS=0 make check leaves fuzzing out. POLDER_YES=1 installs Debian packages
# without a question, POLDER_OFFLINE=DIR takes them from DIR (see tools/setup). The guest
# runtime is built from Debian's sources, fetched once: POLDER_SOURCES=DIR takes those from
# DIR (see tools/guest-sources), MESON_ARGS=-Dguest=disabled does without.

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
MESON_ARGS ?=
FUZZ_SECONDS ?= 60

.PHONY: all build setup demo check lint format bench install clean help
all: build

help:
	@sed -n '3,16s/^# \{0,1\}//p' Makefile

setup:
	@tools/setup build guest

$(BUILD)/build.ninja: | setup
	meson setup --prefix=$(PREFIX) $(MESON_ARGS) $(BUILD)

build: setup $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS)

demo: build
	@tools/setup demo
	@POLDER_BUILD=$(BUILD) tools/demo

check:
	@tools/setup build guest test
	@$(MAKE) --no-print-directory build
	@FUZZ_SECONDS=$(FUZZ_SECONDS) JOBS=$(JOBS) tools/check $(BUILD)

lint:
	@tools/setup build guest test lint
	@$(MAKE) --no-print-directory build
	@tools/lint $(BUILD)

format:
	@tools/lint --format

bench:
	@tools/setup build guest bench
	@$(MAKE) --no-print-directory build
	@bench/run $(BUILD)
	@bench/web $(BUILD)

# Prefix is the build's: another one here than before builds anew what depends on it.
install: build
	@grep -qsx '$(PREFIX)' $(BUILD)/.prefix || \
		{ meson configure $(BUILD) --prefix=$(PREFIX) && echo '$(PREFIX)' >$(BUILD)/.prefix; }
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

clean:
	rm -rf $(BUILD) build-fuzz build-asan build-clang
