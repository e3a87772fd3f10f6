# Two commands matter: `make demo` shows orc at work, `make test` proves it. Both fetch what they need.

SHELL := /bin/sh
NPM_STAMP := node_modules/.orc-installed
NATIVE := native/build/orc-native
BUNDLE := build/orc.js
# What orc needs at run time and a minimal Debian may lack. gcc, make, git, Node and npm are expected.
PACKAGES := libatomic1 libseccomp2 libnftables1 iproute2 libc6-dev
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: demo demo-stop test test-hosts check build package bench clean soak generate

demo: build
	@$(AS_ROOT) ./deploy/demo start

demo-stop:
	@$(AS_ROOT) ./deploy/demo stop

test: build
	@$(AS_ROOT) ./test/run

# On three virtual machines (deploy/testbed): the package, systemd, reboots, upgrades, etcd. 14 minutes on two processors.
test-hosts: build
	@$(AS_ROOT) ./test/run hosts

check: build
	@npx vitest run --project tidy

build: $(NPM_STAMP) $(NATIVE) $(BUNDLE) native/build/orc-oci

# The OCI command line, and what it starts: native/oci.c looks beside itself.
native/build/orc-oci: Makefile $(NATIVE)
	@ln -sf ../../build/oci-planner.js native/build/planner
	@ln -sf ../../node_modules/node-linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64)/bin/node native/build/node
	@ln -sf orc-native $@

# Not `npm ci`: that wants every other platform's optional packages in the lock file, which not every registry has.
$(NPM_STAMP): package.json package-lock.json
	@./deploy/install-packages $(PACKAGES)
	@echo "  setup       npm packages"
	@npm install --no-save --no-fund --no-audit --loglevel=error
	@touch $@

$(NATIVE): $(wildcard native/*.c native/*.h) native/Makefile
	@echo "  build       native parts"
	@$(MAKE) --no-print-directory --silent -C native

# Files that went are seen by their directories.
$(BUNDLE): $(NPM_STAMP) deploy/bundle.ts $(shell find orc.ts programs.ts package.json api base agent cli controller dev native/*.ts native/generated)
	@echo "  build       bundle"
	@node_modules/.bin/node deploy/bundle.ts

# dist/orc_<version>_<architecture>.deb; VERSION=0.2.0 makes it another one, LEVEL=none a larger one in less time.
package: $(NPM_STAMP) $(NATIVE)
	@./deploy/package $(VERSION)

generate:
	@npm run generate

# By hand, on a quiet machine: orc beside its peers; docs/performance.md.
bench: build
	@for bench in store controller api runtime oci pods images; do $(AS_ROOT) node_modules/.bin/node bench/$$bench.ts || exit 1; done

# By hand: what `make test` repeats a few times, repeated often. Killed stores, damaged frames and lists, races with links, pods' and
# whole clusters' misfortunes: 100 of each kind with FACTOR=50; FACTOR minutes of churn; 500 pods on one host. docs/soak.md.
soak: build
	@$(AS_ROOT) env SOAK_FACTOR=$(or $(FACTOR),20) node_modules/.bin/node node_modules/vitest/vitest.mjs run \
	  list-decoder fuzz-shim native/dying escapes/ sqlite-store.test pod-workers.property unpack-fuzz kill-pull apiserver/fuzz kubectl/on-etcd e2e/chaos soak/

clean:
	rm -rf node_modules build dist native/build coverage .orc .cache $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/orc
	$(AS_ROOT) rm -rf /root/.cache/orc
