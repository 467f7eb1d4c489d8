#!/usr/bin/env bash
# Licences, duplicate versions and sources of all dependencies, by the rules in deny.toml. Pass `advisories` as an
# argument to check those too: it needs the advisory database, so the hosted workflow does it.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
tools=$PWD/target/tools
export PATH="$tools/bin:$PATH"
if ! cargo deny --version 2>/dev/null | grep -qF "$version"; then
    cargo install cargo-deny --version "$version" --locked --root "$tools"
fi
cargo deny --all-features check licenses bans sources "$@"
