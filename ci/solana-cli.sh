#!/usr/bin/env bash
# The `solana` command line against `dzsim ledger`: what somebody who builds against the chain types.
# It is taken from the path, or else built from crates.io once, which takes long; SOLANA_CLI_ROOT is where it is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.2.2
tools=${SOLANA_CLI_ROOT:-$PWD/target/solana-cli}
PATH=$tools/bin:$PATH
if ! solana --version 2>/dev/null | grep --quiet --fixed-strings "$version"; then
    # Without its default features it needs no library for hardware wallets.
    cargo install solana-cli --version "$version" --locked --no-default-features --debug --root "$tools"
fi
cargo build --locked --package dzsim --bin dzsim

work=$(mktemp -d)
ledger=
logs=
trap 'for process in $ledger $logs; do kill "$process" 2>/dev/null || true; done; wait; rm -rf "$work"' EXIT
# It prints where it answers, its program, its funded keys, and then that it is ready.
mkfifo "$work/out"
"${CARGO_TARGET_DIR:-target}/debug/dzsim" ledger --rpc 127.0.0.1:0 >"$work/out" &
ledger=$!
while read -r word rest; do
    case $word in
    rpc) http=$rest ;;
    websocket) ws=$rest ;;
    program) program=${rest%% *} ;;
    key) payer=${rest%% *} && echo "${rest##* }" >"$work/id.json" ;;
    ready*) break ;;
    esac
done <"$work/out"
# Nobody's own settings count.
export HOME=$work

# Calls the command line; what it says is in `said`.
solana() {
    said=$(timeout 60 env solana --url "$http" --ws "$ws" --keypair "$work/id.json" "$@" 2>&1)
}

wrong() {
    printf '%s\n' "$1; it said:" "$said" >&2
    exit 1
}

# says TEXT ARGUMENT...: the command succeeds and says the text.
says() {
    local text=$1
    shift
    solana "$@" || wrong "solana $* failed"
    grep --quiet --fixed-strings -e "$text" <<<"$said" || wrong "solana $*: expected '$text'"
    echo "ok  solana $*"
}

# refuses TEXT ARGUMENT...: the command fails and says the text.
refuses() {
    local text=$1
    shift
    ! solana "$@" || wrong "solana $*: expected a failure"
    grep --quiet --fixed-strings -e "$text" <<<"$said" || wrong "solana $*: expected '$text'"
    echo "ok  solana $*: refused"
}

nobody=9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin
token=TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA

says "$version" cluster-version
says 'Epoch Completed Slots: 1/32' epoch-info
says 1 slot
says 1 block-height
says 0 epoch
says 0 transaction-count
says 1 first-available-block
says 2026-01-01T00:00:00Z block-time 1
says 2026-01-01T00:00:00Z cluster-date
says "$version" gossip
says 'Active Stake: 0 SOL' validators
says 'using data from 1 slots' block-production
says 'still running tower' alpenglow-genesis-info
says 'No stake accounts found' stakes
says 'Rent-exempt minimum: 0.00089088 SOL' rent 0

timeout 300 solana --url "$http" --ws "$ws" logs >"$work/logs" &
logs=$!

says "$payer" address
says '1000 SOL' balance
says '1001 SOL' airdrop 1
says 'Signature: ' transfer "$nobody" 2 --allow-unfunded-recipient
signature=${said##*Signature: }
says 'Finalized' confirm "$signature"
says 'Program 11111111111111111111111111111111 success' confirm -v "$signature"
says 'lamports: 2000000000' block 3
says "$signature" transaction-history "$nobody"
says 'Balance: 2 SOL' account "$nobody"
says 'Min: 0 Max: 0' recent-prioritization-fees
refuses 'insufficient funds' transfer "$nobody" 5000
# Ours runs natively here unless it was built for the virtual machine.
solana program show "$program" || grep --quiet 'is not an SBF program' <<<"$said" || wrong 'solana program show'
says 'Data Length: 108600' program show "$token"

# What is not offered is an error that names itself.
refuses 'Method not found' supply

# Whoever follows the logs has been told of the transfer.
deadline=$((SECONDS + 30))
until grep --quiet --fixed-strings "$signature" "$work/logs"; do
    ((SECONDS < deadline)) || { said=$(cat "$work/logs") && wrong "solana logs: expected $signature"; }
    sleep 0.1
done
echo 'ok  solana logs'

kill -INT "$ledger"
wait "$ledger"
ledger=
echo 'the ledger has stopped cleanly'
