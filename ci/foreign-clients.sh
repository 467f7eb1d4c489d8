#!/usr/bin/env bash
# Solana clients of other languages against a ledger that runs alone: @solana/web3.js, @solana/kit, solana-py.
# They come from the npm and Python package registries, so it is not part of the tests that run without a network.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --package dzsim-ledger --example ledger

work=$(mktemp -d)
ledger=
trap '[ -z "$ledger" ] || kill "$ledger" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cp ci/foreign-clients/* "$work"
npm install --prefix "$work" --no-audit --no-fund --loglevel=error
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$work/requirements.txt"

# It prints where it answers, its funded keys, and then that it is ready.
mkfifo "$work/out"
"${CARGO_TARGET_DIR:-target}/debug/examples/ledger" 127.0.0.1:0 >"$work/out" &
ledger=$!
while read -r word rest; do
    case $word in
    rpc) http=$rest ;;
    websocket) ws=$rest ;;
    key) key=${rest##* } ;;
    ready*) break ;;
    esac
done <"$work/out"
cd "$work"
timeout 120 node web3.mjs "$http" "$ws" "$key"
timeout 120 node kit.mjs "$http" "$ws" "$key"
timeout 120 venv/bin/python solana_py.py "$http" "$ws" "$key"

kill -INT "$ledger"
wait "$ledger"
ledger=
echo "the ledger has stopped cleanly"
