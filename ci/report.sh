#!/usr/bin/env bash
# Pages of `run`, `sweep`, `compare` and `rfc run` in headless Chromium: they ask for nothing, log no error, and fit a phone and
# a desk, light and dark. Runs by itself, beside .ci/run, because it needs Debian's packages chromium and chromium-driver; with
# root rights it installs them. Screenshots are left in target/report.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v chromedriver >/dev/null; then
    [ "$(id -u)" -eq 0 ] || { echo "error: chromedriver is not there: apt-get install chromium chromium-driver" >&2; exit 3; }
    apt-get update -qq && apt-get install --yes -qq --no-install-recommends chromium chromium-driver >/dev/null
fi
dzsim=${CARGO_TARGET_DIR:-target}/debug/dzsim
[ -x "$dzsim" ] || cargo build --locked --bin dzsim
folder=target/report
rm -rf "$folder" && mkdir -p "$folder/scenarios/report"
# A case that passes with everything in it, and one that fails.
cp ci/report/*.yaml "$folder/scenarios/report/"
run() { "$dzsim" "$@" >"$folder/out" 2>&1 || [ $? -eq 1 ] || { cat "$folder/out" >&2; exit 1; }; }
run run "$folder/scenarios" --world virtual --artifacts "$folder/artifacts" --html "$folder/run.html"
grep -q '^1 passed, 1 failed' "$folder/out" || { cat "$folder/out" >&2; exit 1; }
run sweep rfcs/0001/metro.yaml --html "$folder/sweep.html"
run compare "$folder/scenarios/report/passes.yaml" --set policy.endpoints_per_device=3 --html "$folder/compare.html"
run rfc run --skip-tests rfcs/0001-*.md --html "$folder/rfc.html"
python3 ci/report/check.py "$folder/screenshots" "$folder"/{run,sweep,compare,rfc}.html
