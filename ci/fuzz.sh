#!/bin/sh
# Builds the fuzz targets of every crate that decodes bytes from outside (docs/decisions/0006-fuzz-targets.md) with the stable
# compiler, without a sanitizer, and runs each for SECONDS.
#
#     ci/fuzz.sh [SECONDS] [FOLDER]      corpora are kept in FOLDER/TARGET
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
corpora=${2:-target/fuzz/corpus}
mkdir -p "$corpora"
corpora=$(cd "$corpora" && pwd)
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target/fuzz}
# What `cargo fuzz build --sanitizer none` passes.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1"
export CARGO_TARGET_DIR RUSTFLAGS
host=$(rustc -vV | sed -n 's/^host: //p')
for crate in programs/serviceability net sim/scenario; do
    ${FUZZ_CARGO:-cargo} build --locked --release --target "$host" --manifest-path "$crate/fuzz/Cargo.toml"
    for target in "$crate"/fuzz/fuzz_targets/*.rs; do
        name=$(basename "$target" .rs)
        mkdir -p "$corpora/$name"
        "$CARGO_TARGET_DIR/$host/release/$name" -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 \
            -artifact_prefix="$corpora/" "$corpora/$name" 2>&1 | tail -n 12
    done
done
