#!/usr/bin/env bash
# The same seed gives the same run, whatever the load. In virtual time everything that a run leaves is the same to the
# byte. In the real world it is the chain and the snapshots; scenarios with a `parallel` step are not compared there: who
# is first is what they leave to chance, as real processes do. The suite runs twice in each world, alone and side by
# side. Runs by itself, beside .ci/run; needs a build (`cargo build --bin dzsim`).
# Usage: ci/determinism.sh [FILE|DIR...]
set -euo pipefail
cd "$(dirname "$0")/.."
dzsim=${CARGO_TARGET_DIR:-target}/debug/dzsim
[ -x "$dzsim" ] || cargo build --locked --bin dzsim
[ $# -gt 0 ] || set -- scenarios
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
differ=0
for world in virtual real; do
    for jobs in 1 4; do
        "$dzsim" run "$@" --world "$world" --jobs "$jobs" --seed 7 --artifacts "$folder/$world-$jobs" \
            --record-snapshots | tail -n 1 || [ "${PIPESTATUS[0]}" -eq 3 ] # Some are of one world only.
    done
    count=0
    while read -r file; do
        if [ "$world" = real ]; then
            case=${file%/chain.json}
            scenario=$(sed -n 's/^ *"file": "\(.*\)",$/\1/p' "$folder/real-1/${case%/snapshots/*}/summary.json")
            if grep -q 'parallel:' "$scenario"; then
                continue
            fi
        fi
        count=$((count + 1))
        if ! cmp "$folder/$world-1/$file" "$folder/$world-4/$file"; then
            differ=$((differ + 1))
        fi
    done < <(
        cd "$folder/$world-1"
        # The summary says how long it took, which is no part of the run; a capsule holds it.
        if [ "$world" = virtual ]; then find . -type f ! -name summary.json ! -name capsule.tar.zst; else find . -name chain.json -o -name '*.snap'; fi | sort
    )
    echo "$world: $count files compared"
done
echo "$differ differ"
[ "$differ" -eq 0 ]
