#!/usr/bin/env bash
# The README's test command, with the lock file held.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo test --workspace --locked
