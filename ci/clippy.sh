#!/usr/bin/env bash
# Every target of every package, warnings as errors.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo clippy --workspace --all-targets --locked -- -D warnings
