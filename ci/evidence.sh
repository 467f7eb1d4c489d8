#!/usr/bin/env bash
# Each scenario without each of its steps that act, in virtual time: one that still passes has a step that proves nothing,
# and fails here unless ci/evidence.txt says why it may be so.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet --locked ${DZ_PROFILE:+--profile "$DZ_PROFILE"} -- evidence --allow ci/evidence.txt "${@:-scenarios}"
