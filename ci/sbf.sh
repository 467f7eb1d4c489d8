#!/bin/sh
# Builds the program as Solana bytecode, runs its tests and three scenarios against that, and compares compute units
# with programs/serviceability/compute-units.txt.
#
#     ci/sbf.sh                         with `cargo build-sbf`
#     SBF_BUILD=PREFIX/bin/build-sbf ci/sbf.sh    with another builder
#     SBF_SCENARIOS="a.yaml b.yaml"     which scenarios; "" for none
#     DZ_WRITE_COMPUTE_UNITS=1          writes the table anew
set -eu
cd "$(dirname "$0")/.."
root=$PWD
build=${SBF_BUILD:-cargo build-sbf}
target=${SBF_TARGET_DIR:-$root/target/sbf}
out=$target/out

(cd programs/serviceability && CARGO_TARGET_DIR=$target $build)
mkdir -p "$out"
# cargo build-sbf puts it into deploy/ under the crate's name; other builders leave it where cargo does.
for so in "$target/deploy/dz_serviceability.so" "$target"/sbf*/release/*dz_serviceability.so; do
  if [ -f "$so" ]; then
    cp "$so" "$out/dz_serviceability.so"
    break
  fi
done
[ -f "$out/dz_serviceability.so" ] || { echo "the builder left no dz_serviceability.so in $target" >&2; exit 1; }
ls -l "$out/dz_serviceability.so"

SBF_OUT_DIR=$out ${SBF_CARGO:-cargo} test -p dz-serviceability --test suite

scenarios=${SBF_SCENARIOS-$(find scenarios -name '*.yaml' | LC_ALL=C sort | head -n 3)}
if [ -n "$scenarios" ]; then
  # shellcheck disable=SC2086
  SBF_OUT_DIR=$out ${SBF_CARGO:-cargo} run -p dzsim -- run $scenarios
fi
