#!/usr/bin/env bash
# The API documentation builds; a broken link or a missing comment is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
