#!/usr/bin/env bash
# The same seed gives the same chain and the same snapshots, whatever the load: the suite runs twice, alone and side by
# side, and what it leaves is compared. Scenarios with a `parallel` step are not: who is first there is what they leave to
# chance, as real processes do. Runs by itself, beside .ci/run; needs a build (`cargo build --bin dzsim`).
# Usage: ci/determinism.sh [FILE|DIR...]
set -euo pipefail
cd "$(dirname "$0")/.."
dzsim=${CARGO_TARGET_DIR:-target}/debug/dzsim
[ -x "$dzsim" ] || cargo build --locked --bin dzsim
[ $# -gt 0 ] || set -- scenarios
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$dzsim" run "$@" --jobs 1 --seed 7 --artifacts "$folder/alone" --record-snapshots | tail -n 1
"$dzsim" run "$@" --jobs 4 --seed 7 --artifacts "$folder/together" --record-snapshots | tail -n 1
differ=0
count=0
while read -r file; do
    case=${file%/chain.json}
    scenario=$(sed -n 's/^ *"file": "\(.*\)",$/\1/p' "$folder/alone/${case%/snapshots/*}/summary.json")
    if grep -q 'parallel:' "$scenario"; then
        continue
    fi
    count=$((count + 1))
    if ! diff -u "$folder/alone/$file" "$folder/together/$file"; then
        differ=$((differ + 1))
    fi
done < <(cd "$folder/alone" && find . -name chain.json -o -name '*.snap' | sort)
echo "$count files compared, $differ differ"
[ "$differ" -eq 0 ]
