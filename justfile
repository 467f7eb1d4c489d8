# Recipes: `just NAME`, or copy the line. https://just.systems

# Everything that must hold before a change lands.
ci:
    .ci/run

# One scenario, or a folder of them.
run +FILES:
    cargo run -- run {{FILES}}

# Documents that are generated from the types, and snapshots of outputs that were changed on purpose; look at `git diff` after.
regenerate:
    UPDATE_DOCS=1 cargo test --workspace --locked -- --skip scenarios
    INSTA_UPDATE=always cargo test --workspace --locked

# Snapshots of scenarios.
regenerate-snapshots *FILES="scenarios":
    cargo run -- run {{FILES}} --update-snapshots

# All benchmarks, on an otherwise idle machine.
bench:
    cargo bench --workspace
    cargo run --release -- bench
