#!/usr/bin/env bash
# The same tests under nextest, one process a test, and the doc tests, which nextest leaves out.
# needs: cargo-nextest (cargo install cargo-nextest --locked)
set -euo pipefail
cd "$(dirname "$0")/.."
cargo nextest --version >/dev/null 2>&1 || { echo "$0: cargo-nextest is missing: cargo install cargo-nextest --locked" >&2; exit 3; }
cargo nextest run --workspace --locked --profile ci "$@"
cargo test --workspace --locked --doc
