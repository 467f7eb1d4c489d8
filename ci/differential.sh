#!/usr/bin/env bash
# The virtual host against a network namespace of this machine: SEQUENCES random histories (10,000 if nothing is said),
# in runs of 100 with a seed each. A difference is shrunk and printed with its seed.
set -euo pipefail
cd "$(dirname "$0")/.."
sequences=${1:-10000}
first=${2:-1}
for seed in $(seq "$first" $((first + (sequences + 99) / 100 - 1))); do
    DZSIM_DIFFERENTIAL=100 DZSIM_DIFFERENTIAL_SEED=$seed \
        cargo test --quiet --locked --package dzsim-host --lib -- --exact differential::a_virtual_host_does_what_the_kernel_does
done
echo "$sequences sequences without a difference"
