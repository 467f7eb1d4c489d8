#!/bin/sh
# Random histories of the program against its reference, on accounts in memory: each instruction as predicted, everything
# counted anew after it, late ones refused, all deleted in the end and paid back. 240 are more than 100,000 instructions.
#
#     ci/model.sh [HISTORIES] [FIRST SEED]
set -eu
cd "$(dirname "$0")/.."
DZ_MODEL_SEEDS=${1:-240} DZ_MODEL_FIRST=${2:-0} \
    cargo test --locked --package dz-serviceability --test suite -- --nocapture model::random_histories
