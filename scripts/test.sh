#!/usr/bin/env bash
# Runs every test: the unit tests of each crate, then the end-to-end tests on real
# processes. What needs root says so and is skipped loudly without it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

if [ "$(id -u)" = 0 ]; then
    install_packages "${PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    # All is there that a test could miss: one that is skipped now has failed.
    export XEBEC_TEST_NO_SKIPS=1
else
    echo "NOT ROOT: everything that needs namespaces, mounts or cgroups is SKIPPED" >&2
fi
# The tests build grpcurl and kubectl with it.
command -v go >/dev/null || die "go is missing: install Go 1.24 or newer (https://go.dev/dl)"
# The very targets and features that the tests are made with: nothing is compiled twice.
cargo build --locked --workspace --all-targets
# What is shipped: how it is linked is a test of its own.
cargo build --locked --release --package xebec --package guestbook
exec cargo test --workspace --locked "$@"
