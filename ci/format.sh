#!/usr/bin/env bash
# Every file is as rustfmt leaves it.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fmt --all --check
