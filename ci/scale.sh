#!/usr/bin/env bash
# Large networks in both worlds: all connected, both services for a tenth of the clients, a ping through every tunnel, one
# device killed and its users moved, the oracle after each step, and nothing left behind. They take minutes and, the largest,
# gigabytes, so they run by themselves. Usage: ci/scale.sh [20|86|all] [virtual|real]...
set -euo pipefail
cd "$(dirname "$0")/.."
size=${1:-all}
shift || true
[ $# -gt 0 ] || set -- virtual real
case $size in
    20) files=(ci/scale/20-devices-200-clients.yaml) ;;
    86) files=(ci/scale/86-devices-1000-clients.yaml) ;;
    all) files=(ci/scale/20-devices-200-clients.yaml ci/scale/86-devices-1000-clients.yaml) ;;
    *) echo "expected 20, 86 or all, got $size" >&2; exit 2 ;;
esac
profile=${DZ_PROFILE:-release}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo build --locked --profile "$profile" --bin dzsim
built=$profile
[ "$profile" != dev ] || built=debug
dzsim=${CARGO_TARGET_DIR:-target}/$built/dzsim
for world in "$@"; do
    for file in "${files[@]}"; do
        echo "== $world: $file"
        "$dzsim" run "$file" --world "$world" --artifacts "$folder/$world" --capture-last 1000
        # Whatever a run has started names its folder, or was started by what does.
        if pgrep -af -- "$folder/$world"; then
            echo "these are left" >&2
            exit 1
        fi
    done
done
