#!/usr/bin/env bash
# kill -9 of a lab's processes at random moments leaves no process, namespace, interface or file.
# usage: ci/lab-kill.sh [ROUNDS=100] [SEED=1]; as root it is done a second time as an ordinary user.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-100} RANDOM=${2:-1}

if [ -z "${DZSIM_HOLD:-}" ]; then
    cargo build --locked --package dzsim-lab --example hold
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    # In a place that every user may read, under a name that no other process has.
    install -m 755 "${CARGO_TARGET_DIR:-target}/debug/examples/hold" "$folder/hold-$$"
    chmod 755 "$folder"
    export DZSIM_HOLD=$folder/hold-$$ TMPDIR=$folder
    # In a pid namespace, where nobody else's processes are looked at.
    alone=(unshare --mount --pid --fork --mount-proc)
    if [ "$(id -u)" = 0 ]; then
        "${alone[@]}" bash "$0" "$rounds" "$RANDOM"
        # The device is opened to everybody in a mount namespace that only this part has.
        mknod "$folder/tun" c 10 200
        chmod 666 "$folder/tun"
        unshare --mount bash -c 'mount --bind "$0" /dev/net/tun
            exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"' "$folder/tun" \
            "${alone[@]}" --user --map-current-user bash "$PWD/ci/lab-kill.sh" "$rounds" "$RANDOM"
    else
        "${alone[@]}" --user --map-current-user bash "$0" "$rounds" "$RANDOM"
    fi
    exit
fi

# Processes of the lab, without those that have ended and are not reaped yet.
ours() { ps -eo pid=,stat=,args= | awk -v path="$DZSIM_HOLD" '$2 !~ /^Z/ && $3 == path { print $1 }'; }
# What a lab could leave: namespaces, interfaces, mounts, files.
traces() {
    readlink /proc/*/ns/{net,pid,mnt,user} 2>/dev/null | sort -u || true
    tail -n +3 /proc/net/dev | cut -d: -f1
    cat /proc/self/mountinfo
    ls -A /run "$TMPDIR"
}

# The only child of a process, or the process itself if it has none yet.
child() {
    local found
    read -r found _ 2>/dev/null <"/proc/$1/task/$1/children" || true
    echo "${found:-$1}"
}

kinds=(caller outer init scenario)
for ((round = 1; round <= rounds; round++)); do
    before=$(traces)
    kind=${kinds[RANDOM % 4]}
    if [ $kind = caller ]; then
        # A shell that waits, and that the lab must not outlive. It names itself, as `bind_to_me` does for `dzsim run`:
        # whoever is killed before its child looks at its parent has a child with another parent.
        sh -c 'DZSIM_PARENT=$$ "$0" >/dev/null 2>&1; exit $?' "$DZSIM_HOLD" &
    else
        "$DZSIM_HOLD" >/dev/null 2>&1 &
    fi
    started=$!
    # Half of them while it comes up, which takes some 10 ms, half of them when it holds.
    sleep "0.0$((RANDOM % 2 * 6))$((RANDOM % 10))$((RANDOM % 10))"
    case $kind in
        caller | outer) victim=$started ;;
        init) victim=$(child $started) ;;
        scenario) victim=$(child "$(child $started)") ;;
    esac
    kill -9 "$victim"
    wait $started 2>/dev/null || true
    deadline=$((SECONDS + 10))
    until [ -z "$(ours)" ] && after=$(traces) && [ "$before" = "$after" ]; do
        if ((SECONDS > deadline)); then
            echo "round $round: $kind killed, left are:" >&2
            ours >&2
            diff <(echo "$before") <(echo "$after") >&2 || true
            exit 1
        fi
    done
done
echo "$rounds kills -9 as uid $(id -u) left nothing"
