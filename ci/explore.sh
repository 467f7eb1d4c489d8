#!/usr/bin/env bash
# Random histories under the oracle, in virtual time. Runs by itself; the hosted workflow gives it an hour each night.
# Usage: ci/explore.sh [OPTIONS of dzsim explore]; without any, 300 histories from a fixed seed.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- --histories 300
cargo run --quiet --locked ${DZ_PROFILE:+--profile "$DZ_PROFILE"} -- explore "$@"
