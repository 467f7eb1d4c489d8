#!/usr/bin/env bash
# Mutants of what decides: each function of the pure deciders with another result or another comparison, and the tests of its
# package, which must fail. Needs cargo-mutants (`cargo install cargo-mutants`). For the night: every mutant is a build.
# The tests nearest to a part go first, as nearly all mutants die there within seconds; all of the package's tests meet what is
# left.
# Usage: ci/mutants.sh [client|activator|controller|agent|audit|oracle]...; without any, all of them. The survivors are in
# mutants/NAME/mutants.out/missed.txt; any of them is a failure.
# Those that no test can tell from the code are named in .cargo/mutants.toml. Some 880 mutants at 15 to 25 s each: four to six
# hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
missed=0
mutate() {
    local name=$1 package=$2 near=$3
    shift 3
    mkdir -p "mutants/$name"
    local files=()
    for file in "$@"; do files+=(--file "$file"); done
    local mutants=(cargo mutants --package "$package" --test-package "$package" "${files[@]}" --output "mutants/$name"
        --no-shuffle --baseline skip --timeout 300 --in-place)
    # 2: mutants were missed; 3: one took too long, which is noticed, too.
    # shellcheck disable=SC2086 # words
    "${mutants[@]}" -- --lib --test suite -- $near || case $? in 2 | 3) ;; *) exit 1 ;; esac
    "${mutants[@]}" --iterate || case $? in 2) missed=1 ;; 3) ;; *) exit 1 ;; esac
}
[ $# -gt 0 ] || set -- client activator controller agent audit oracle
for name; do
    case $name in
    client) mutate "$name" dz-client select 'client/src/select/*.rs' ;;
    activator) mutate "$name" dz-activator 'plan strategy' 'activator/src/plan/*.rs' 'activator/src/strategy/*.rs' ;;
    controller) mutate "$name" dz-controller 'render config catalog gallery refusals' 'controller/src/render/**/*.rs' ;;
    agent) mutate "$name" dz-controller 'agent device' controller/src/agent/diff.rs controller/src/agent/desired.rs ;;
    audit) mutate "$name" dz-sdk audit 'programs/sdk/src/audit/**/*.rs' ;;
    oracle) mutate "$name" dzsim 'oracle bugs evidence' 'sim/src/run/oracle/*.rs' ;;
    *) echo "ci/mutants.sh: no such part: $name" >&2; exit 2 ;;
    esac
done
exit "$missed"
