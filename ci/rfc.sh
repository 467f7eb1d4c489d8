#!/usr/bin/env bash
# Every claim of the RFCs has a proof that passes, and every figure is what its command gives now. In virtual time.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet --locked -- rfc check rfcs/0001-*.md
