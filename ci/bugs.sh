#!/usr/bin/env bash
# Bugs that are put in on purpose are each found by exploring within ten minutes, from a seed that nobody has chosen. Runs by
# itself; the nightly workflow does.
set -euo pipefail
cd "$(dirname "$0")/.."
seed=${1:-$(date +%Y%m%d)000000}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
missed=0
for bug in leaked-unit swapped-name missing-reread stale-rule double-grant wrong-id misplaced-address lost-route lost-table lost-uplink wrong-end; do
    start=$SECONDS
    # Found is a failure of the exploration: 1.
    code=0
    cargo run --quiet --locked ${DZ_PROFILE:+--profile "$DZ_PROFILE"} -- explore --bug "$bug" --seed "$seed" --for 10m \
        --histories 1000000000 --out "$folder" >"$folder/out" || code=$?
    echo "$bug: $(head -n 1 "$folder/out"), after $((SECONDS - start)) s"
    [ "$code" -eq 1 ] || missed=$((missed + 1))
done
[ "$missed" -eq 0 ]
